import { openProxy, type ProxySource } from "@evenkeel/config";
import { type Duration, OptionsError, parseDuration, type Proxy as ReverseProxy } from "evenkeel";
import type { FastifyRequest, RegisterOptions } from "fastify";

/**
 * Where the plugin's proxy comes from: a file, options in code, or a proxy that is shared with others. A shared one is its
 * owner's to close, in a `preClose` hook: its tunnels keep the server open, and with it `app.close()`.
 */
export type EvenkeelOptions = ProxySource<FastifyRequest> & {
  /** The path that the plugin serves everything under, and that is taken off before routing. Default: every path. */
  readonly prefix?: string;
  /** How long `app.close()` waits for requests and tunnels on their way before it ends them. Default: "30s". */
  readonly closeTimeout?: Duration;
  /**
   * Gives the proxy's own failures to the app's error handler instead of answering them: a `ProxyError` with its `code` and
   * `status`, before anything is written. WebSocket handshakes are answered all the same. Default: false.
   */
  readonly passErrors?: boolean;
};

/** The options that are not the proxy's; Fastify itself adds those about logging. */
const ownKeys: readonly string[] = ["prefix", "closeTimeout", "passErrors", "logLevel", "logSerializers"];

/** The plugin's options, taken apart. */
export interface Resolved {
  readonly proxy: ReverseProxy;
  /** The proxy was made here, and is ours to close. */
  readonly owned: boolean;
  readonly passErrors: boolean;
  readonly closing: { readonly timeout?: Duration };
  /** What fastify itself has to know of the routes. */
  readonly scope: RegisterOptions;
}

export function resolveOptions(options: EvenkeelOptions & RegisterOptions): Resolved {
  const { prefix, logLevel, logSerializers, closeTimeout, passErrors = false } = options;
  if (closeTimeout !== undefined && parseDuration(closeTimeout) === undefined) {
    const message = `expected a duration such as "30s", found ${JSON.stringify(closeTimeout)}`;
    throw new OptionsError([{ path: ["closeTimeout"], message }]);
  }
  return {
    ...openProxy(options, ownKeys),
    passErrors,
    closing: { ...(closeTimeout !== undefined && { timeout: closeTimeout }) },
    scope: {
      ...(prefix !== undefined && { prefix }),
      ...(logLevel !== undefined && { logLevel }),
      ...(logSerializers !== undefined && { logSerializers }),
    },
  };
}
