import { openProxy, type ProxySource } from "@evenkeel/config";
import { type Duration, type LoggerOption, OptionsError, parseDuration, type Proxy as ReverseProxy } from "evenkeel";
import type { FastifyRequest, RegisterOptions } from "fastify";

/**
 * The options of the plugin: a configuration file, the proxy's options in code, or a shared proxy. The owner of a shared proxy
 * must close it in a `preClose` hook: its tunnels keep the server open, so that `app.close()` waits.
 */
export type EvenkeelOptions = WithOwnLogger<ProxySource<FastifyRequest>> & {
  /** The path prefix of all requests to the plugin. It is stripped before routing. Default: every path. */
  readonly prefix?: string;
  /** How long `app.close()` waits for requests and tunnels in flight before it ends them. Default: "30s". */
  readonly closeTimeout?: Duration;
  /**
   * Passes the proxy's own failures to the app's error handler instead of an error response: a `ProxyError` with its `code` and
   * `status`, before anything is written. WebSocket handshakes always get the error response. Default: false.
   */
  readonly passErrors?: boolean;
  /**
   * Logs what happens to pools, exceptions of hooks, and problems of requests. Default: the app's logger, unless a shared proxy
   * has a logger already. `false` logs nothing.
   */
  readonly logger?: LoggerOption | false;
};

/** For each type of a union by itself. */
type WithOwnLogger<Source> = Source extends unknown ? Omit<Source, "logger"> : never;

/** The options of the plugin itself. Fastify adds the ones about logging. */
const ownKeys: readonly string[] = ["prefix", "closeTimeout", "passErrors", "logger", "logLevel", "logSerializers"];

/** The parsed options of the plugin. */
export interface ParsedOptions {
  readonly proxy: ReverseProxy;
  /** The plugin has created the proxy, and closes it. */
  readonly owned: boolean;
  readonly passErrors: boolean;
  /** Undefined for the app's logger. */
  readonly logger: LoggerOption | false | undefined;
  readonly closing: { readonly timeout?: Duration };
  /** Fastify's own options for the routes. */
  readonly scope: RegisterOptions;
}

export function parsePluginOptions(options: EvenkeelOptions & RegisterOptions): ParsedOptions {
  const { prefix, logLevel, logSerializers, closeTimeout, passErrors = false, logger } = options;
  if (closeTimeout !== undefined && parseDuration(closeTimeout) === undefined) {
    const message = `expected a duration such as "30s", found ${JSON.stringify(closeTimeout)}`;
    throw new OptionsError([{ path: ["closeTimeout"], message }]);
  }
  return {
    // Without the logger, which is the plugin's own.
    ...openProxy(options as ProxySource<FastifyRequest>, ownKeys),
    passErrors,
    logger,
    closing: { ...(closeTimeout !== undefined && { timeout: closeTimeout }) },
    scope: {
      ...(prefix !== undefined && { prefix }),
      ...(logLevel !== undefined && { logLevel }),
      ...(logSerializers !== undefined && { logSerializers }),
    },
  };
}
