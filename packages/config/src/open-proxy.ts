/** The options with which every adapter creates or takes its proxy. */

import type { IncomingMessage } from "node:http";
import {
  checkHooks,
  checkOptions,
  createProxy,
  didYouMean,
  type Hooks,
  type LoggerOption,
  OptionsError,
  type ProxyOptions,
  type ProxySurroundings,
  type Proxy as ReverseProxy,
} from "evenkeel";
import * as z from "zod";
import { loadConfig } from "./load-config.ts";

/** A file, options in code, or a shared proxy. `Req` is the type of `context.req` in hooks. */
export type ProxySource<Req = IncomingMessage> =
  | (ProxyOptions & CodeOptions<Req>)
  | ({
      /** The path of a TOML or JSON file. Its `[server]`, `[admin]`, `[accessLog]` and `[tracing]` are for the command. */
      readonly config: string;
    } & CodeOptions<Req>)
  | {
      /** The adapter does not close it. Its hooks and its logger are the ones it was created with. */
      readonly proxy: ReverseProxy;
    };

/** What no file can contain. */
interface CodeOptions<Req> {
  /** Functions that may change requests and handshakes or respond to them. They stay in force after a reload. */
  readonly hooks?: Hooks<Req>;
  /**
   * Logs what happens to pools, exceptions of hooks, and problems of requests: pino, winston, the console, or anything with
   * `info`, `warn` and `error`; or a function that gets each entry.
   */
  readonly logger?: LoggerOption;
  /**
   * With false, requests are published on no diagnostics channel and have no spans. Default: true; where OpenTelemetry is set up
   * before, requests are traced.
   */
  readonly tracing?: boolean;
}

/** Their keys, and those of the other sources. */
const codeKeys: readonly string[] = ["hooks", "logger", "tracing"];
const sourceKeys: readonly string[] = ["config", "proxy", ...codeKeys];

/**
 * Creates the proxy of an adapter, or takes the shared one. `owned` says that it was created here, so that the adapter has
 * to close it. `ownKeys` are the adapter's own options: they are ignored here, and offered for typos. Throws an
 * `OptionsError` or a `ConfigError`.
 */
export function openProxy<Req>(
  options: ProxySource<Req>,
  ownKeys: readonly string[] = [],
): { readonly proxy: ReverseProxy; readonly owned: boolean } {
  checkArgument(options);
  const entries = Object.entries(options).filter(([key, value]) => value !== undefined && !ownKeys.includes(key));
  const source = Object.fromEntries(entries) as Readonly<Record<string, unknown>>;
  const { proxy, config, hooks: given = {}, logger, tracing, ...rest } = source;
  if (proxy !== undefined) {
    rejectKeysBeside(source, "proxy", [], ownKeys);
    return { proxy: checkProxy(proxy), owned: false };
  }
  checkHooks(given as object, [], ["hooks"]);
  // The adapter passes its framework's request to the proxy with each request of Node.
  if (tracing !== undefined && typeof tracing !== "boolean") throw mistake("tracing", "expected true or false");
  const hooks = withTracing(given as Hooks, tracing);
  if (config === undefined) return { proxy: logTo(create(rest, hooks, ownKeys), logger), owned: true };
  rejectKeysBeside(source, "config", codeKeys, ownKeys);
  if (typeof config !== "string") throw mistake("config", "expected the path of a configuration file");
  return { proxy: logTo(createProxy(loadConfig(config).options, hooks), logger), owned: true };
}

/** The methods of an object of a class keep it as `this`. */
function withTracing(hooks: Hooks, tracing: boolean | undefined): ProxySurroundings {
  if (tracing === undefined) return hooks;
  const { onRequest, onResponse, onError } = hooks;
  return {
    tracing,
    ...(onRequest !== undefined && { onRequest: onRequest.bind(hooks) }),
    ...(onResponse !== undefined && { onResponse: onResponse.bind(hooks) }),
    ...(onError !== undefined && { onError: onError.bind(hooks) }),
  };
}

/** Not beside the hooks: a copy of an object of a class would not have its methods. */
function logTo(proxy: ReverseProxy, logger: unknown): ReverseProxy {
  try {
    if (logger !== undefined) proxy.logs.add(logger as LoggerOption);
    return proxy;
  } catch (error) {
    void proxy.close({ timeout: "0s" });
    throw error;
  }
}

/** The proxy's own check does not know the adapter's keys, so its message for a typo could not offer them. */
function create(options: object, hooks: ProxySurroundings, ownKeys: readonly string[]): ReverseProxy {
  const others = [...sourceKeys, ...ownKeys].map((key) => [key, z.any().optional()]);
  const issues = checkOptions(options, Object.fromEntries(others));
  if (issues.length > 0) throw new OptionsError(issues);
  return createProxy(options as ProxyOptions, hooks);
}

/** Throws for a first argument that is not an object of options. The message says what to write instead. */
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
  // The error does not contain the string: a URL may contain a password.
  return options.includes("://") ? "a URL: write { upstreams: [url] }" : "a string: write { config: path }";
}

function checkProxy(proxy: unknown): ReverseProxy {
  if (isProxy(proxy)) return proxy;
  throw mistake("proxy", "expected what createProxy returns");
}

/** Checks for methods, not for a class: an app may load two copies of the library. */
function isProxy(value: unknown): value is ReverseProxy {
  return typeof value === "object" && value !== null && "forwardUpgrade" in value && "snapshot" in value;
}

function rejectKeysBeside(
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
  if (sourceKeys.includes(key)) return true;
  return !checkOptions({ [key]: null }).some(({ path, at }) => at === "key" && path[0] === key);
}

function mistake(key: string, message: string): OptionsError {
  return new OptionsError([{ path: [key], message }]);
}
