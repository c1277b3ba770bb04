/** Where an adapter's proxy comes from: options of one shape for all of them. */

import type { IncomingMessage } from "node:http";
import {
  checkHooks,
  checkOptions,
  createProxy,
  didYouMean,
  type Hooks,
  OptionsError,
  type ProxyOptions,
  type Proxy as ReverseProxy,
} from "evenkeel";
import * as z from "zod";
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

/**
 * The proxy that an adapter's options ask for, and whether it was made here and is the adapter's to close. `ownKeys` are
 * the options that are the adapter's own: they are passed over here, and named in hints. Throws an `OptionsError`, or a
 * `ConfigError`.
 */
export function openProxy<Req>(
  options: ProxySource<Req>,
  ownKeys: readonly string[] = [],
): { readonly proxy: ReverseProxy; readonly owned: boolean } {
  checkArgument(options);
  const entries = Object.entries(options).filter(([key, value]) => value !== undefined && !ownKeys.includes(key));
  const source = Object.fromEntries(entries) as Readonly<Record<string, unknown>>;
  const { proxy, config, hooks: given = {}, ...rest } = source;
  if (proxy !== undefined) {
    refuseBeside(source, "proxy", [], ownKeys);
    return { proxy: checkProxy(proxy), owned: false };
  }
  checkHooks(given as object, [], ["hooks"]);
  // The adapter gives the proxy its own kind of request along with each of Node's.
  const hooks = given as Hooks;
  if (config === undefined) return { proxy: create(rest, hooks, ownKeys), owned: true };
  refuseBeside(source, "config", ["hooks"], ownKeys);
  if (typeof config !== "string") throw mistake("config", "expected the path of a configuration file");
  return { proxy: createProxy(loadConfig(config).options, hooks), owned: true };
}

/** Checked here first, since the proxy's own check does not know the adapter's keys when it looks for a typo. */
function create(options: object, hooks: Hooks, ownKeys: readonly string[]): ReverseProxy {
  const others = ["config", "proxy", "hooks", ...ownKeys].map((key) => [key, z.any().optional()]);
  const issues = checkOptions(options, Object.fromEntries(others));
  if (issues.length > 0) throw new OptionsError(issues);
  return createProxy(options as ProxyOptions, hooks);
}

/** Throws for a first argument that holds no options, with what to write instead. */
function checkArgument(options: unknown): void {
  if (typeof options === "object" && options !== null && !Array.isArray(options) && !isProxy(options)) return;
  const example = '{ upstreams: ["http://127.0.0.1:3001"] }, { config: "proxy.toml" } or { proxy }';
  throw new OptionsError([{ path: [], message: `expected ${example}, found ${describeArgument(options)}` }]);
}

function describeArgument(options: unknown): string {
  if (options === undefined) return "nothing";
  if (Array.isArray(options)) return "an array: write { upstreams: [...] }";
  if (typeof options === "object") return options === null ? "null" : "a proxy: write { proxy }";
  if (typeof options !== "string") return `a ${typeof options}`;
  // What the string is stays out of the error: a URL may hold a password.
  return options.includes("://") ? "a URL: write { upstreams: [url] }" : "a string: write { config: path }";
}

function checkProxy(proxy: unknown): ReverseProxy {
  if (isProxy(proxy)) return proxy;
  throw mistake("proxy", "expected what createProxy returns");
}

/** By what it can do, since an app may have two copies of the library. */
function isProxy(value: unknown): value is ReverseProxy {
  return typeof value === "object" && value !== null && "forwardUpgrade" in value && "snapshot" in value;
}

function refuseBeside(
  source: Readonly<Record<string, unknown>>,
  key: string,
  allowed: readonly string[],
  ownKeys: readonly string[],
): void {
  const others = Object.keys(source).filter((other) => other !== key && !allowed.includes(other));
  if (others.length === 0) return;
  throw new OptionsError(
    others.map((other) => ({
      path: [other],
      message: isProxyOption(other)
        ? `cannot be used together with "${key}"`
        : `unknown key${didYouMean(other, [key, ...allowed, ...ownKeys])}`,
    })),
  );
}

function isProxyOption(key: string): boolean {
  if (["config", "proxy", "hooks"].includes(key)) return true;
  return !checkOptions({ [key]: null }).some(({ path, at }) => at === "key" && path[0] === key);
}

function mistake(key: string, message: string): OptionsError {
  return new OptionsError([{ path: [key], message }]);
}
