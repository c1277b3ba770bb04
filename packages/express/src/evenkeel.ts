import { STATUS_CODES } from "node:http";
import { ProxyError } from "evenkeel";
import type { Response } from "express";
import { isConsumed, restoreBody, restoredHeaders } from "./consumed-body.ts";
import { type EvenkeelMiddleware, type EvenkeelOptions, resolvePrefix, resolveSource } from "./options.ts";
import { claimUpgrade, declineUpgrade, isClaimed, isPipelined, releaseSocket } from "./shared-upgrades.ts";

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
  const { prefix: givenPrefix = "", ...source } = options;
  const prefix = resolvePrefix(givenPrefix);
  const { proxy, owned } = resolveSource(source);

  const middleware: (...args: Parameters<EvenkeelMiddleware>) => void = (req, res, next) => {
    const { rawHeaders } = req;
    const consumed = isConsumed(req);
    let matched = true;
    const facts = {
      mountPath: req.baseUrl,
      next: () => {
        matched = false;
      },
    };
    // The body is asked for only once a route has matched: what is not ours may be of any kind.
    const withBody = {
      ...facts,
      get body() {
        return restoreBody(req);
      },
    };
    if (consumed) req.rawHeaders = restoredHeaders(req);
    try {
      proxy.forward(req, res, consumed ? withBody : facts);
    } catch (error) {
      if (!(error instanceof ProxyError)) throw error;
      refuse(res, error);
    }
    req.rawHeaders = rawHeaders;
    if (!matched) return next();
    // Events and logs tell the target as it came.
    req.url = req.originalUrl;
  };

  const upgrade: EvenkeelMiddleware["upgrade"] = (req, socket, head) => {
    if (isClaimed(req)) return;
    const { url = "" } = req;
    const rest = below(prefix, url);
    if (rest === undefined) return declineUpgrade(req, socket);
    // The answer to an earlier request still has the socket: the client did not wait for it.
    if (isPipelined(req, socket)) return void socket.destroy();
    let matched = true;
    const next = () => {
      matched = false;
      releaseSocket(req, socket);
    };
    req.url = rest;
    proxy.forwardUpgrade(req, socket, head, { mountPath: prefix, next });
    req.url = url;
    if (matched) claimUpgrade(req);
    else declineUpgrade(req, socket);
  };

  const close: EvenkeelMiddleware["close"] = async (how) => {
    if (owned) await proxy.close(how);
  };
  return Object.assign(middleware, { upgrade, clientError: proxy.clientError, proxy, close });
}

/** What is left of a request target without the prefix, or undefined when it lies elsewhere. Whole segments count. */
function below(prefix: string, url: string): string | undefined {
  if (!url.startsWith(prefix)) return undefined;
  const rest = url.slice(prefix.length);
  if (prefix === "" || rest.startsWith("/")) return rest;
  return rest === "" || rest.startsWith("?") ? `/${rest}` : undefined;
}

function refuse(res: Response, error: ProxyError): void {
  const text = `${error.status} ${STATUS_CODES[error.status]} (${error.code}): ${error.message}\n`;
  res.writeHead(error.status, {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": Buffer.byteLength(text),
    "Cache-Control": "no-store",
    "Proxy-Status": `evenkeel; error=proxy_internal_error; details="${error.code}"`,
  });
  res.end(text);
}
