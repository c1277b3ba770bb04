import { openProxy } from "@evenkeel/config";
import { declineUpgrade, isClaimed } from "evenkeel";
import { consumedBody } from "./consumed-body.ts";
import { useDictionaryMode } from "./dictionary-mode.ts";
import { isSlashAdded, stripMountPath } from "./mount-path.ts";
import { type EvenkeelMiddleware, type EvenkeelOptions, ownKeys, resolvePrefix } from "./options.ts";
import { prependUpgradeHandler, type UpgradeHandler } from "./upgrade-handlers.ts";

/**
 * Creates an Express middleware that forwards requests which a route matches and calls `next()` for the others.
 *
 * The mount path is stripped as Express does it, and sent to the upstream in X-Forwarded-Prefix. Mount the middleware in front
 * of body parsers if possible: then bodies stream byte for byte. Behind one, a JSON, urlencoded, text or raw body is serialized
 * again from `req.body`, in UTF-8.
 *
 * Throws an `OptionsError`, or a `ConfigError` that lists every mistake in the file with its line.
 *
 * @example
 * const api = evenkeel({ config: "proxy.toml", prefix: "/api" });
 * app.use("/api", api);
 * server.on("upgrade", api.upgrade).on("clientError", api.clientError);
 */
export function evenkeel(options: EvenkeelOptions): EvenkeelMiddleware {
  // JavaScript may call it without an argument. `openProxy` throws the error for that.
  const { prefix: givenPrefix = "", passErrors = false } = options ?? {};
  const prefix = resolvePrefix(givenPrefix);
  const { proxy, owned } = openProxy(options, ownKeys);

  const middleware: (...args: Parameters<EvenkeelMiddleware>) => void = (req, res, next) => {
    useDictionaryMode(req);
    useDictionaryMode(res);
    proxy.forward(req, res, {
      mountPath: req.baseUrl,
      slashAdded: isSlashAdded(req),
      originalUrl: req.originalUrl,
      next,
      onError: passErrors ? next : undefined,
      ...consumedBody(req),
    });
  };

  const take: UpgradeHandler = (req, socket, head) => {
    const { url = "" } = req;
    const stripped = stripMountPath(prefix, url);
    if (stripped === undefined) return false;
    const { mountPath, rest, slashAdded } = stripped;
    req.url = rest;
    const taken = proxy.forwardUpgrade(req, socket, head, { mountPath, slashAdded, originalUrl: url, next: noop });
    req.url = url;
    return taken;
  };
  const upgrade: EvenkeelMiddleware["upgrade"] = (req, socket, head, next) => {
    if (isClaimed(req) || take(req, socket, head)) return;
    if (next === undefined) declineUpgrade(req, socket, head);
    else next();
  };
  const attach: EvenkeelMiddleware["attach"] = (server) => prependUpgradeHandler(server, take);

  const close: EvenkeelMiddleware["close"] = async (how) => {
    if (owned) await proxy.close(how);
  };
  return Object.assign(middleware, { upgrade, attach, clientError: proxy.clientError, proxy, close });
}

/** The result of `take` says already that no route matches. */
function noop(): void {}
