import { loadConfig } from "@evenkeel/config";
import {
  createProxy,
  type Duration,
  OptionsError,
  type ProxyOptions,
  parseDuration,
  type Proxy as ReverseProxy,
} from "evenkeel";
import type { RegisterOptions } from "fastify";

/** Where the plugin's proxy comes from: a file, options in code, or a proxy that is shared with others. */
export type EvenkeelOptions = EvenkeelSource & {
  /** The path that the plugin serves everything under, and that is taken off before routing. Default: every path. */
  readonly prefix?: string;
  /** How long `app.close()` waits for requests and tunnels on their way before it ends them. Default: "30s". */
  readonly closeTimeout?: Duration;
};

type EvenkeelSource =
  | ProxyOptions
  | {
      /** The path of a TOML or JSON file. Its `[server]`, `[admin]` and `[accessLog]` are for the command line and left alone. */
      readonly config: string;
    }
  | {
      /**
       * Stays its owner's to close: in a `preClose` hook, because its tunnels keep the server open, and with it
       * `app.close()`.
       */
      readonly proxy: ReverseProxy;
    };

/** The plugin's options, taken apart. */
export interface Resolved {
  readonly proxy: ReverseProxy;
  /** The proxy was made here, and is ours to close. */
  readonly owned: boolean;
  readonly closing: { readonly timeout?: Duration };
  /** What fastify itself has to know of the routes. */
  readonly scope: RegisterOptions;
}

export function resolveOptions(options: EvenkeelOptions & RegisterOptions): Resolved {
  const { prefix, logLevel, logSerializers, closeTimeout, ...source } = options;
  if (closeTimeout !== undefined && parseDuration(closeTimeout) === undefined) {
    const message = `expected a duration such as "30s", found ${JSON.stringify(closeTimeout)}`;
    throw new OptionsError([{ path: ["closeTimeout"], message }]);
  }
  return {
    ...resolveSource(source),
    closing: { ...(closeTimeout !== undefined && { timeout: closeTimeout }) },
    scope: {
      ...(prefix !== undefined && { prefix }),
      ...(logLevel !== undefined && { logLevel }),
      ...(logSerializers !== undefined && { logSerializers }),
    },
  };
}

function resolveSource(source: EvenkeelSource): Pick<Resolved, "proxy" | "owned"> {
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
