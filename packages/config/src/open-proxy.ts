/** Where an adapter's proxy comes from: options of one shape for all of them. */

import {
  checkHooks,
  createProxy,
  type Hooks,
  OptionsError,
  type ProxyOptions,
  type Proxy as ReverseProxy,
} from "evenkeel";
import { loadConfig } from "./load-config.ts";

/** A file, options in code, or a proxy that is shared with others. */
export type ProxySource =
  | (ProxyOptions & HooksOption)
  | ({
      /** The path of a TOML or JSON file. Its `[server]`, `[admin]` and `[accessLog]` are for the command line and left alone. */
      readonly config: string;
    } & HooksOption)
  | {
      /** Stays its owner's to close. Its hooks are those that it was made with. */
      readonly proxy: ReverseProxy;
    };

interface HooksOption {
  /** Code that sees requests and handshakes on their way, and may change or answer them. Kept over reloads. */
  readonly hooks?: Hooks;
}

/** The proxy that the options ask for, and whether it was made here and is the asker's to close. Throws an `OptionsError`. */
export function openProxy(source: ProxySource): { readonly proxy: ReverseProxy; readonly owned: boolean } {
  if ("proxy" in source) {
    refuseBeside(source, "proxy", []);
    return { proxy: source.proxy, owned: false };
  }
  const { hooks = {}, ...rest } = source;
  checkHooks(hooks, [], ["hooks"]);
  if (!("config" in rest)) return { proxy: createProxy(rest, hooks), owned: true };
  refuseBeside(source, "config", ["hooks"]);
  return { proxy: createProxy(loadConfig(rest.config).options, hooks), owned: true };
}

function refuseBeside(source: object, key: string, allowed: readonly string[]): void {
  const others = Object.keys(source).filter((other) => other !== key && !allowed.includes(other));
  if (others.length === 0) return;
  throw new OptionsError(others.map((other) => ({ path: [other], message: `cannot be used together with "${key}"` })));
}
