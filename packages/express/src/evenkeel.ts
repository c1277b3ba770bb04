import { openProxy } from "@evenkeel/config";
import { declineUpgrade, isClaimed } from "evenkeel";
import { consumedBody } from "./consumed-body.ts";
import { useDictionaryMode } from "./dictionary-mode.ts";
import { isSlashAdded, takeOff } from "./mount-path.ts";
import { type EvenkeelMiddleware, type EvenkeelOptions, ownKeys, resolvePrefix } from "./options.ts";
import { putInFront, type TakeUpgrade } from "./upgrade-handlers.ts";

/**
 * Makes an Express middleware that forwards what its routes match and calls `next()` for the rest.
 *
 * The mount path is taken off the way Express does it, and the upstream is told in X-Forwarded-Prefix. Mount it in front
 * of body parsers where you can: then bodies stream, byte for byte. Behind one, a JSON, urlencoded, text or raw body is
 * put together again from `req.body`, in UTF-8.
 *
 * Throws an `OptionsError`, or a `ConfigError` that names every mistake of the file with its line.
 *
 * @example
 * const api = evenkeel({ config: "proxy.toml", prefix: "/api" });
 * app.use("/api", api);
 * server.on("upgrade", api.upgrade).on("clientError", api.clientError);
 */
export function evenkeel(options: EvenkeelOptions): EvenkeelMiddleware {
  // JavaScript may call it without an argument; openProxy says what is missing then.
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

  const take: TakeUpgrade = (req, socket, head) => {
    const { url = "" } = req;
    const below = takeOff(prefix, url);
    if (below === undefined) return false;
    const { mountPath, rest, slashAdded } = below;
    req.url = rest;
    const taken = proxy.forwardUpgrade(req, socket, head, { mountPath, slashAdded, originalUrl: url, next: leave });
    req.url = url;
    return taken;
  };
  const upgrade: EvenkeelMiddleware["upgrade"] = (req, socket, head, next) => {
    if (isClaimed(req) || take(req, socket, head)) return;
    if (next === undefined) declineUpgrade(req, socket, head);
    else next();
  };
  const attach: EvenkeelMiddleware["attach"] = (server) => putInFront(server, take);

  const close: EvenkeelMiddleware["close"] = async (how) => {
    if (owned) await proxy.close(how);
  };
  return Object.assign(middleware, { upgrade, attach, clientError: proxy.clientError, proxy, close });
}

/** `take` says by its result that an upgrade is left. */
function leave(): void {}
