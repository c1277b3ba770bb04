import { openProxy, type ProxySource } from "@evenkeel/config";
import { type Duration, OptionsError, parseDuration, type Proxy as ReverseProxy } from "evenkeel";
import type { FastifyRequest, RegisterOptions } from "fastify";

/**
 * The options of the plugin: a configuration file, the proxy's options in code, or a shared proxy. The owner of a shared proxy
 * must close it in a `preClose` hook: its tunnels keep the server open, so that `app.close()` waits.
 */
export type EvenkeelOptions = ProxySource<FastifyRequest> & {
  /** The path prefix of all requests to the plugin. It is stripped before routing. Default: every path. */
  readonly prefix?: string;
  /** How long `app.close()` waits for requests and tunnels in flight before it ends them. Default: "30s". */
  readonly closeTimeout?: Duration;
  /**
   * Passes the proxy's own failures to the app's error handler instead of an error response: a `ProxyError` with its `code` and
   * `status`, before anything is written. WebSocket handshakes always get the error response. Default: false.
   */
  readonly passErrors?: boolean;
};

/** The options of the plugin itself. Fastify adds the ones about logging. */
const ownKeys: readonly string[] = ["prefix", "closeTimeout", "passErrors", "logLevel", "logSerializers"];

/** The parsed options of the plugin. */
export interface ParsedOptions {
  readonly proxy: ReverseProxy;
  /** The plugin has created the proxy, and closes it. */
  readonly owned: boolean;
  readonly passErrors: boolean;
  readonly closing: { readonly timeout?: Duration };
  /** Fastify's own options for the routes. */
  readonly scope: RegisterOptions;
}

export function parsePluginOptions(options: EvenkeelOptions & RegisterOptions): ParsedOptions {
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
