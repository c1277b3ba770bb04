import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { loadConfig } from "@evenkeel/config";
import { createProxy, type Duration, OptionsError, type ProxyOptions, type Proxy as ReverseProxy } from "evenkeel";
import type { NextFunction, Request, Response } from "express";

/** Where the middleware's proxy comes from: a file, options in code, or a proxy that is shared with others. */
export type EvenkeelOptions = EvenkeelSource & {
  /**
   * The path that an upgrade has to lie under; it is taken off and told to the upstream, as the mount path is of other
   * requests. Express never runs for upgrades, so it has to be said here as well as in `app.use`. Default: any path.
   */
  readonly prefix?: string;
};

type EvenkeelSource =
  | ProxyOptions
  | {
      /** The path of a TOML or JSON file. Its `[server]`, `[admin]` and `[accessLog]` are for the command line and left alone. */
      readonly config: string;
    }
  | {
      /** Stays its owner's to close. */
      readonly proxy: ReverseProxy;
    };

/** What `evenkeel` returns: an Express middleware that balances, and the proxy behind it. */
export interface EvenkeelMiddleware {
  (req: Request, res: Response, next: NextFunction): void;
  /**
   * For the server's `upgrade` event. Several middlewares may share a server, each in a listener of its own or all called
   * from one: the first that matches takes the upgrade. One outside `prefix`, or that no route matches, is left to whoever
   * else listens. When nobody does, it is an ordinary request, and Express answers it.
   */
  readonly upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** For the server's `clientError` event: answers what is no HTTP, is too large or comes too slowly as the proxy answers. */
  readonly clientError: (error: Error, socket: Duplex) => void;
  readonly proxy: ReverseProxy;
  /** Drains and ends the proxy, unless it is a shared one. The server is the caller's to close. */
  close(options?: { readonly timeout?: Duration }): Promise<void>;
}

/** The proxy that the options ask for, and whether it was made here. */
export function resolveSource(source: EvenkeelSource): { readonly proxy: ReverseProxy; readonly owned: boolean } {
  for (const key of ["proxy", "config"]) {
    const others = Object.keys(source).filter((other) => other !== key);
    if (key in source && others.length > 0) {
      throw new OptionsError(
        others.map((other) => ({ path: [other], message: `cannot be used together with "${key}"` })),
      );
    }
  }
  if ("proxy" in source) return { proxy: source.proxy, owned: false };
  return { proxy: createProxy("config" in source ? loadConfig(source.config).options : source), owned: true };
}

/** The prefix without its trailing slashes; empty for none. */
export function resolvePrefix(prefix: string): string {
  if (/^(?:\/[^/?#]+)*\/*$/.test(prefix)) return prefix.replace(/\/+$/, "");
  const message = `expected a path such as "/api", found ${JSON.stringify(prefix)}`;
  throw new OptionsError([{ path: ["prefix"], message }]);
}
