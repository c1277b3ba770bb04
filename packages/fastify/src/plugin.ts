import { type IncomingMessage, METHODS } from "node:http";
import type { ForwardUpgradeOptions, ProxyError, Proxy as ReverseProxy } from "evenkeel";
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import fastifyPlugin from "fastify-plugin";
import { logTo } from "./log-to.ts";
import { hasOnSendHooks, lastOnSend, OnSendGate, runOnSendHooks } from "./on-send.ts";
import { type EvenkeelOptions, type ParsedOptions, parsePluginOptions } from "./options.ts";
import { Prefix, routerOptionsOf } from "./prefix.ts";
import { appHeaders } from "./reply-headers.ts";
import { type UpgradeRouter, upgradeRouterOf } from "./upgrade-router.ts";

declare module "fastify" {
  interface FastifyInstance {
    /** The proxy of the first `@evenkeel/fastify` that was registered here. */
    evenkeel: ReverseProxy;
  }
}

/**
 * A Fastify plugin that forwards all requests under its prefix, WebSockets included, after the app's hooks.
 *
 * Bodies stream without the content-type parsers of the app. A request that no route matches gets the app's 404. The plugin may
 * be registered several times, with different prefixes. `app.close()` drains.
 *
 * Registration fails with an `OptionsError`, or with a `ConfigError` that lists every mistake in the file with its line.
 *
 * @example
 * const app: FastifyInstance = fastify({
 *   // Malformed requests get the proxy's error response, log line and count. Fastify accepts this option only here.
 *   clientErrorHandler: (error, socket) => app.evenkeel.clientError(error, socket),
 * });
 * await app.register(evenkeel, { prefix: "/api", config: "proxy.toml" });
 */
export const evenkeel: FastifyPluginAsync<EvenkeelOptions> = fastifyPlugin(register, {
  fastify: "5.x",
  name: "@evenkeel/fastify",
});

async function register(app: FastifyInstance, options: EvenkeelOptions): Promise<void> {
  const resolved = parsePluginOptions(options);
  const { proxy, owned, closing, scope } = resolved;
  if (!app.hasDecorator("evenkeel")) app.decorate("evenkeel", proxy);
  const stopLogging = logTo(resolved, app.log);
  if (owned) {
    // Draining starts here, before the server closes, because tunnels keep the server open. `onClose` waits for its end.
    app.addHook("preClose", (next) => {
      void proxy.close(closing);
      next();
    });
  }
  app.addHook("onClose", async () => {
    stopLogging();
    if (owned) await proxy.close(closing);
  });
  // The parsers and methods below are set in a scope of their own, so that they do not affect the rest of the app.
  await app.register(async (inner) => addRoutes(inner, resolved), scope);
}

function addRoutes(app: FastifyInstance, resolved: ParsedOptions): void {
  const prefix = new Prefix(app.prefix, routerOptionsOf(app));
  const upgrades = upgradeRouterOf(app);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
  for (const method of METHODS) {
    // Node never emits CONNECT as a request.
    if (method !== "CONNECT" && !app.supportedMethods.includes(method)) app.addHttpMethod(method, { hasBody: true });
  }
  const handler = createHandler(resolved, prefix, upgrades);
  const urls = app.prefix === "" ? ["/*"] : ["", "/*"];
  const paths = urls.map((url) => app.prefix.replace(/\/$/, url === "" ? "/" : "") + url);
  upgrades.add(prefix, resolved.proxy, paths);
  for (const [index, path] of paths.entries()) {
    const url = urls[index] as string;
    // The app keeps the methods for which it has a route at this very path, such as preflight requests.
    const method = app.supportedMethods.filter((name) => !app.hasRoute({ method: name, url: path }));
    if (method.length > 0) app.route({ url, method, handler, onSend: lastOnSend });
  }
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => void;

function createHandler({ proxy, owned, passErrors }: ParsedOptions, prefix: Prefix, upgrades: UpgradeRouter): Handler {
  return (request, reply) => {
    const { raw, originalUrl, headers } = request;
    const { mountPath, rest, slashAdded } = prefix.split(raw.url ?? "");
    // `headers` is another object when a hook has set `request.headers`. The hooks of a shared proxy get Node's request.
    const options = { mountPath, slashAdded, originalUrl, headers, request: owned ? request : undefined };
    if (upgrades.has(raw)) return upgrade(request, reply, options, rest);
    const gate = hasOnSendHooks(request) ? openGate(reply) : undefined;
    // Headers that hooks have set, such as those of CORS, are sent unless the upstream sends the same header.
    if (gate === undefined) copyHeaders(reply);
    let matched = true;
    const next = () => {
      matched = false;
    };
    const onError = (error: ProxyError) => {
      gate?.release();
      reply.send(error);
    };
    withTarget(raw, rest, () =>
      proxy.forward(raw, reply.raw, {
        ...options,
        next,
        leftToApp: gate?.leftToApp,
        onError: passErrors ? onError : undefined,
      }),
    );
    if (!matched) {
      gate?.release();
      reply.callNotFound();
    }
    // A hijacked reply cannot be used again: fastify would neither send an error nor run hooks.
    else if (!passErrors && gate === undefined) reply.hijack();
  };

  function upgrade(request: FastifyRequest, reply: FastifyReply, options: ForwardUpgradeOptions, rest: string): void {
    const forward = (responseHeaders: string[]) => {
      const pending = upgrades.take(request.raw);
      if (pending === undefined || pending.socket.destroyed) return;
      withTarget(request.raw, rest, () =>
        proxy.forwardUpgrade(request.raw, pending.socket, pending.head, { ...options, responseHeaders }),
      );
    };
    if (hasOnSendHooks(request)) return runOnSendHooks(reply, forward);
    const headers = appHeaders(reply.getHeaders());
    reply.hijack();
    forward(headers);
  }
}

function openGate(reply: FastifyReply): OnSendGate & { readonly leftToApp: AbortSignal } {
  const controller = new AbortController();
  return Object.assign(new OnSendGate(reply, () => controller.abort()), { leftToApp: controller.signal });
}

function copyHeaders(reply: FastifyReply): void {
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) reply.raw.setHeader(name, value);
  }
}

/** Sets the target during the call only: the proxy reads it at once, and the app's logs show the original one. */
function withTarget(raw: IncomingMessage, rest: string, forward: () => void): void {
  const { url } = raw;
  raw.url = rest;
  forward();
  raw.url = url;
}
