/** Where an adapter's proxy comes from: options of one shape for all of them. */

import type { IncomingMessage } from "node:http";
import {
  checkHooks,
  createProxy,
  type Hooks,
  OptionsError,
  type ProxyOptions,
  type Proxy as ReverseProxy,
} from "evenkeel";
import { loadConfig } from "./load-config.ts";

/** A file, options in code, or a proxy that is shared with others. `Req` is the request that hooks get as `context.req`. */
export type ProxySource<Req = IncomingMessage> =
  | (ProxyOptions & HooksOption<Req>)
  | ({
      /** The path of a TOML or JSON file. Its `[server]`, `[admin]` and `[accessLog]` are for the command line and left alone. */
      readonly config: string;
    } & HooksOption<Req>)
  | {
      /** Stays its owner's to close. Its hooks are those that it was made with. */
      readonly proxy: ReverseProxy;
    };

interface HooksOption<Req> {
  /** Code that sees requests and handshakes on their way, and may change or answer them. Kept over reloads. */
  readonly hooks?: Hooks<Req>;
}

/** The proxy that the options ask for, and whether it was made here and is the asker's to close. Throws an `OptionsError`. */
export function openProxy<Req>(source: ProxySource<Req>): { readonly proxy: ReverseProxy; readonly owned: boolean } {
  if ("proxy" in source) {
    refuseBeside(source, "proxy", []);
    return { proxy: source.proxy, owned: false };
  }
  const { hooks: given = {}, ...rest } = source;
  checkHooks(given, [], ["hooks"]);
  // The adapter gives the proxy its own kind of request along with each of Node's.
  const hooks = given as unknown as Hooks;
  if (!("config" in rest)) return { proxy: createProxy(rest, hooks), owned: true };
  refuseBeside(source, "config", ["hooks"]);
  return { proxy: createProxy(loadConfig(rest.config).options, hooks), owned: true };
}

function refuseBeside(source: object, key: string, allowed: readonly string[]): void {
  const others = Object.keys(source).filter((other) => other !== key && !allowed.includes(other));
  if (others.length === 0) return;
  throw new OptionsError(others.map((other) => ({ path: [other], message: `cannot be used together with "${key}"` })));
}
