import { type IncomingMessage, METHODS } from "node:http";
import type { ForwardUpgradeOptions, ProxyError, Proxy as ReverseProxy } from "evenkeel";
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import fastifyPlugin from "fastify-plugin";
import { logEvents } from "./log-events.ts";
import { hasOnSendHooks, lastOnSend, OnSendGate, runOnSend } from "./on-send.ts";
import { type EvenkeelOptions, type Resolved, resolveOptions } from "./options.ts";
import { Prefix, routerOptionsOf } from "./prefix.ts";
import { appLines } from "./reply-headers.ts";
import { type Upgrades, upgradesOf } from "./upgrade-router.ts";

declare module "fastify" {
  interface FastifyInstance {
    /** The proxy of the first `@evenkeel/fastify` that was registered here. */
    evenkeel: ReverseProxy;
  }
}

/**
 * A Fastify plugin that forwards everything under its prefix, WebSockets included, after the hooks in front of it.
 *
 * Bodies stream untouched: no content-type parser of the app sees them. A request that no route matches gets the app's 404.
 * It may be registered several times, with different prefixes. `app.close()` drains.
 *
 * Fails to register with an `OptionsError`, or with a `ConfigError` that names every mistake of the file with its line.
 *
 * @example
 * const app: FastifyInstance = fastify({
 *   // Fastify asks for this at its birth: what is no HTTP gets the proxy's own answer, log line and count.
 *   clientErrorHandler: (error, socket) => app.evenkeel.clientError(error, socket),
 * });
 * await app.register(evenkeel, { prefix: "/api", config: "proxy.toml" });
 */
export const evenkeel: FastifyPluginAsync<EvenkeelOptions> = fastifyPlugin(register, {
  fastify: "5.x",
  name: "@evenkeel/fastify",
});

async function register(app: FastifyInstance, options: EvenkeelOptions): Promise<void> {
  const resolved = resolveOptions(options);
  const { proxy, owned, closing, scope } = resolved;
  if (!app.hasDecorator("evenkeel")) app.decorate("evenkeel", proxy);
  const stopLogging = logEvents(proxy, app.log);
  if (owned) {
    // Draining begins while the server still closes, since tunnels keep it open, and has ended when the app has closed.
    app.addHook("preClose", (next) => {
      void proxy.close(closing);
      next();
    });
  }
  app.addHook("onClose", async () => {
    stopLogging();
    if (owned) await proxy.close(closing);
  });
  // A scope of its own keeps the parsers and the methods below from the rest of the app.
  await app.register(async (inner) => addRoutes(inner, resolved), scope);
}

function addRoutes(app: FastifyInstance, resolved: Resolved): void {
  const prefix = new Prefix(app.prefix, routerOptionsOf(app));
  const upgrades = upgradesOf(app);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
  for (const method of METHODS) {
    // CONNECT never comes as a request.
    if (method !== "CONNECT" && !app.supportedMethods.includes(method)) app.addHttpMethod(method, { hasBody: true });
  }
  const handler = createHandler(resolved, prefix, upgrades);
  const urls = app.prefix === "" ? ["/*"] : ["", "/*"];
  const paths = urls.map((url) => app.prefix.replace(/\/$/, url === "" ? "/" : "") + url);
  upgrades.add(prefix, resolved.proxy, paths);
  for (const [index, path] of paths.entries()) {
    const url = urls[index] as string;
    // What the app answers under this very path itself, such as preflight requests, stays its own.
    const method = app.supportedMethods.filter((name) => !app.hasRoute({ method: name, url: path }));
    if (method.length > 0) app.route({ url, method, handler, onSend: lastOnSend });
  }
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => void;

function createHandler({ proxy, owned, passErrors }: Resolved, prefix: Prefix, upgrades: Upgrades): Handler {
  return (request, reply) => {
    const { raw, originalUrl, headers } = request;
    const { mountPath, rest, slashAdded } = prefix.split(raw.url ?? "");
    // `headers` is another object when a hook has set `request.headers`. The hooks of a shared proxy know Node's request.
    const seen = { mountPath, slashAdded, originalUrl, headers, request: owned ? request : undefined };
    if (upgrades.has(raw)) return upgrade(request, reply, seen, rest);
    const gate = hasOnSendHooks(request) ? openGate(reply) : undefined;
    // What hooks have set, such as CORS headers, stays unless the upstream says otherwise.
    if (gate === undefined) copyHeaders(reply);
    let matched = true;
    const next = () => {
      matched = false;
    };
    const onError = (error: ProxyError) => {
      gate?.release();
      reply.send(error);
    };
    asBelow(raw, rest, () =>
      proxy.forward(raw, reply.raw, {
        ...seen,
        next,
        leftToApp: gate?.leftToApp,
        onError: passErrors ? onError : undefined,
      }),
    );
    if (!matched) {
      gate?.release();
      reply.callNotFound();
    }
    // What has been hijacked cannot be given back: fastify would not send an error any more, nor run hooks.
    else if (!passErrors && gate === undefined) reply.hijack();
  };

  function upgrade(request: FastifyRequest, reply: FastifyReply, seen: ForwardUpgradeOptions, rest: string): void {
    const goOn = (responseHeaders: string[]) => {
      const found = upgrades.take(request.raw);
      if (found === undefined || found.socket.destroyed) return;
      asBelow(request.raw, rest, () =>
        proxy.forwardUpgrade(request.raw, found.socket, found.head, { ...seen, responseHeaders }),
      );
    };
    if (hasOnSendHooks(request)) return runOnSend(reply, goOn);
    const headers = appLines(reply.getHeaders());
    reply.hijack();
    goOn(headers);
  }
}

function openGate(reply: FastifyReply): OnSendGate & { readonly leftToApp: AbortSignal } {
  const left = new AbortController();
  return Object.assign(new OnSendGate(reply, () => left.abort()), { leftToApp: left.signal });
}

function copyHeaders(reply: FastifyReply): void {
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) reply.raw.setHeader(name, value);
  }
}

/** The proxy reads the target at once; logs tell it as it came. */
function asBelow(raw: IncomingMessage, rest: string, forward: () => void): void {
  const { url } = raw;
  raw.url = rest;
  forward();
  raw.url = url;
}
