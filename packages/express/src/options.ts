import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import type { ProxySource } from "@evenkeel/config";
import { type Duration, OptionsError, type Proxy as ReverseProxy } from "evenkeel";
import type { NextFunction, Request, Response } from "express";

/**
 * The request that hooks get as `context.req`: the one of Express, with the properties that middleware has set, such as
 * `req.user`. For an upgrade it is Node's request, since Express does not run for upgrades.
 */
export type HookRequest = IncomingMessage & Partial<Request>;

/** The options of the middleware: a configuration file, the proxy's options in code, or a shared proxy. */
export type EvenkeelOptions = ProxySource<HookRequest> & {
  /**
   * The path prefix of upgrades. It is stripped and sent in X-Forwarded-Prefix, like the mount path of other requests. Express
   * does not run for upgrades, so it must be set here as well as in `app.use`. Default: any path.
   */
  readonly prefix?: string;
  /**
   * Passes the proxy's own failures to `next(error)` instead of an error response: a `ProxyError` with its `code` and `status`,
   * before anything is written. Upgrades, which have no `next`, always get the error response. Default: false.
   */
  readonly passErrors?: boolean;
};

/** The options of the middleware itself. */
export const ownKeys: readonly string[] = ["prefix", "passErrors"];

/** The return value of `evenkeel`: an Express middleware and its proxy. */
export interface EvenkeelMiddleware {
  (req: Request, res: Response, next: NextFunction): void;
  /**
   * For the server's `upgrade` event. Several middlewares may share a server, each in its own listener or all called from one:
   * the first that matches takes the upgrade. An upgrade outside `prefix`, or that no route matches, is not touched: it goes to
   * `next` if given, else to the server's other listeners. An upgrade that no listener takes, and an upgrade to anything but
   * WebSocket, is an ordinary request of the app.
   */
  readonly upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer, next?: () => void) => void;
  /**
   * Use it instead of `server.on("upgrade", middleware.upgrade)` if other listeners end every upgrade that is not theirs, such as
   * `new WebSocketServer({ server, path })` of ws, and socket.io. They do not see the upgrades that this middleware takes, in
   * any order of registration.
   */
  attach(server: Server): void;
  /** For the server's `clientError` event: sends the proxy's error response to malformed, too large and too slow requests. */
  readonly clientError: (error: Error, socket: Duplex) => void;
  readonly proxy: ReverseProxy;
  /** Drains and closes the proxy, unless it is shared. Does not close the server. */
  close(options?: { readonly timeout?: Duration }): Promise<void>;
}

/** Returns the prefix without trailing slashes. */
export function resolvePrefix(prefix: string): string {
  if (/^(?:\/[^/?#]+)*\/*$/.test(prefix)) return prefix.replace(/\/+$/, "");
  const message = `expected a path such as "/api", found ${JSON.stringify(prefix)}`;
  throw new OptionsError([{ path: ["prefix"], message }]);
}
