import { stringify } from "node:querystring";
import type { Dispatcher } from "undici";
import type { UpstreamAddress } from "../config/resolved.ts";
import { headerRule } from "../config/settable-header.ts";
import { ProxyError } from "../errors.ts";
import type { KeySource } from "../request/hash-key.ts";
import type { RequestHead } from "../transport/transport.ts";

/** The head of an outbound request, independent of the upstream. */
export interface OutboundHead {
  readonly method: string;
  readonly path: string;
  /** Includes the question mark; empty without a query. */
  readonly query: string;
  /** The `Host` of the app. Undefined: the host of the upstream. */
  readonly host: string | undefined;
  /** Names and values in turn, without `Host` and hop-by-hop headers. */
  readonly headers: readonly string[];
  readonly contentLength: number | undefined;
  /** Timeout for the response headers in milliseconds; 0: that of the pool. */
  readonly headersTimeoutMs: number;
}

const nothing: ReadonlyMap<string, string> = new Map();

/** Reads the options of a dispatch. Throws a `ProxyError` for a request that cannot be sent to a pool. */
export function readOutboundHead(options: Dispatcher.DispatchOptions): OutboundHead {
  const method = String(options.method);
  if (options.upgrade || method === "CONNECT") {
    throw new ProxyError("not_implemented", "the dispatcher of a pool does not support upgrades or CONNECT");
  }
  const full = options.query ? withQuery(options.path, options.query) : options.path;
  const mark = full.indexOf("?");
  const path = mark === -1 ? full : full.slice(0, mark);
  if (!path.startsWith("/")) throw new ProxyError("bad_request", `the path must begin with a slash: ${path}`);
  const { headers, host, contentLength } = readHeaders(options.headers);
  const headersTimeoutMs = options.headersTimeout ?? 0;
  return { method, path, query: full.slice(path.length), host, headers, contentLength, headersTimeoutMs };
}

/** Builds the request head for an upstream: prefixes the path with the upstream's base path, and adds `Host`. */
export function upstreamRequest(
  address: UpstreamAddress,
  { method, path, query, host, headers, headersTimeoutMs }: OutboundHead,
  bodyLength: number,
  attempt: { readonly perTryTimeoutMs: number; readonly freshConnection: boolean },
): RequestHead {
  return {
    method,
    path: address.basePath + path + query,
    headers: ["Host", host ?? address.host, ...headers],
    bodyLength,
    headersTimeoutMs: shorterTimeout(attempt.perTryTimeoutMs, headersTimeoutMs),
    freshConnection: attempt.freshConnection,
  };
}

/** The source of the hash key. An outbound request has no client, so `client-ip` is empty. */
export function keySourceOf({ path, query, host = "", headers }: OutboundHead): KeySource {
  return {
    head: { host, passed: headers, forwarded: nothing },
    facts: { client: "", trusted: false },
    target: { path, query },
  };
}

function withQuery(path: string, query: Record<string, unknown>): string {
  const text = stringify(query as Parameters<typeof stringify>[0]);
  return text === "" ? path : `${path}?${text}`;
}

function readHeaders(given: Dispatcher.DispatchOptions["headers"]) {
  const headers: string[] = [];
  let host: string | undefined;
  let contentLength: number | undefined;
  const all = [...pairsOf(given)];
  const named = new Set(all.filter(([name]) => isNamed(name, "connection")).flatMap(([, value]) => listOf(value)));
  for (const [name, value] of all) {
    const lower = name.toLowerCase();
    if (lower === "host") host = value;
    else if (lower === "content-length") contentLength = Number(value);
    else if (headerRule(name) !== "refused" && !named.has(lower)) headers.push(name, value);
  }
  return { headers, host, contentLength };
}

/** Iterates over headers in any form that undici accepts: a flat list, pairs, or an object. */
function* pairsOf(given: Dispatcher.DispatchOptions["headers"]): Generator<[name: string, value: string]> {
  if (given === null || given === undefined) return;
  if (Array.isArray(given) && !given.some((entry) => Array.isArray(entry))) {
    for (let index = 0; index + 1 < given.length; index += 2) yield* valuesOf(given[index], given[index + 1]);
    return;
  }
  const entries = Symbol.iterator in given ? (given as Iterable<[string, unknown]>) : Object.entries(given);
  for (const [name, value] of entries) yield* valuesOf(name, value);
}

function* valuesOf(name: unknown, value: unknown): Generator<[string, string]> {
  for (const one of [value].flat()) if (one !== undefined && one !== null) yield [String(name), String(one)];
}

function isNamed(name: string, lower: string): boolean {
  return name.length === lower.length && name.toLowerCase() === lower;
}

function listOf(value: string): string[] {
  return value.split(",").map((option) => option.trim().toLowerCase());
}

/** Milliseconds; 0 is no limit. */
function shorterTimeout(one: number, other: number): number {
  return one === 0 || other === 0 ? Math.max(one, other) : Math.min(one, other);
}
