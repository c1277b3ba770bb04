import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import type { ProxySource } from "@evenkeel/config";
import { type Duration, OptionsError, type Proxy as ReverseProxy } from "evenkeel";
import type { NextFunction, Request, Response } from "express";

/**
 * What hooks get as `context.req`: the request of Express, with what middleware has put on it, such as `req.user`. Of an upgrade it
 * is Node's alone, since Express never runs for one.
 */
export type HookRequest = IncomingMessage & Partial<Request>;

/** Where the middleware's proxy comes from: a file, options in code, or a proxy that is shared with others. */
export type EvenkeelOptions = ProxySource<HookRequest> & {
  /**
   * The path that an upgrade has to lie under; it is taken off and told to the upstream, as the mount path is of other
   * requests. Express never runs for upgrades, so it has to be said here as well as in `app.use`. Default: any path.
   */
  readonly prefix?: string;
  /**
   * Gives the proxy's own failures to `next(error)` instead of answering them: a `ProxyError` with its `code` and `status`,
   * before anything is written. Upgrades, which have no `next`, are answered all the same. Default: false.
   */
  readonly passErrors?: boolean;
};

/** The options that are not the proxy's. */
export const ownKeys: readonly string[] = ["prefix", "passErrors"];

/** What `evenkeel` returns: an Express middleware that balances, and the proxy behind it. */
export interface EvenkeelMiddleware {
  (req: Request, res: Response, next: NextFunction): void;
  /**
   * For the server's `upgrade` event. Several middlewares may share a server, each in a listener of its own or all called
   * from one: the first that matches takes the upgrade. One outside `prefix`, or that no route matches, is left as it came:
   * to `next` where it is given, else to the server's other listeners. An upgrade that no listener takes, and an upgrade to
   * anything but WebSocket, is an ordinary request of the app.
   */
  readonly upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer, next?: () => void) => void;
  /**
   * In place of `server.on("upgrade", middleware.upgrade)` where others listen that end every upgrade which is not theirs,
   * as `new WebSocketServer({ server, path })` of ws and socket.io do: they are not shown what this middleware takes,
   * whoever was first.
   */
  attach(server: Server): void;
  /** For the server's `clientError` event: answers what is no HTTP, is too large or comes too slowly as the proxy answers. */
  readonly clientError: (error: Error, socket: Duplex) => void;
  readonly proxy: ReverseProxy;
  /** Drains and ends the proxy, unless it is a shared one. The server is the caller's to close. */
  close(options?: { readonly timeout?: Duration }): Promise<void>;
}

/** The prefix without its trailing slashes; empty for none. */
export function resolvePrefix(prefix: string): string {
  if (/^(?:\/[^/?#]+)*\/*$/.test(prefix)) return prefix.replace(/\/+$/, "");
  const message = `expected a path such as "/api", found ${JSON.stringify(prefix)}`;
  throw new OptionsError([{ path: ["prefix"], message }]);
}
