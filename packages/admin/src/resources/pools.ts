/** The pools of the admin API. An upstream is looked up and changed in one turn, after the body has been read. */

import {
  checkUpstreamChange,
  isLinkLocalOrMetadata,
  OptionsError,
  type Pool,
  type Proxy as ReverseProxy,
  type Upstream,
  type UpstreamChange,
  type UpstreamOptions,
  type UpstreamSnapshot,
} from "evenkeel";
import { HttpError } from "../http/http-error.ts";
import { expectEmptyBody, expectObject } from "../http/request-body.ts";
import { type AdminResponse, json } from "../http/response.ts";

/** The parameters in a request's path, empty if the route has none, and its query. */
export interface RouteParams {
  readonly pool: string;
  readonly upstream: string;
  readonly query: URLSearchParams;
}

export function listPools(proxy: ReverseProxy): AdminResponse {
  return json(200, { pools: proxy.snapshot().pools });
}

export function showPool(proxy: ReverseProxy, params: RouteParams): AdminResponse {
  return json(200, findPool(proxy, params).snapshot());
}

export function listUpstreams(proxy: ReverseProxy, params: RouteParams): AdminResponse {
  return json(200, { upstreams: findPool(proxy, params).snapshot().upstreams });
}

export function showUpstream(proxy: ReverseProxy, params: RouteParams): AdminResponse {
  return json(200, snapshotOf(findPool(proxy, params), params.upstream));
}

export function changeUpstream(proxy: ReverseProxy, params: RouteParams, body: unknown): AdminResponse {
  const pool = findPool(proxy, params);
  const { id } = findUpstream(pool, params.upstream);
  const { weight, state, timeout } = toChange(body);
  if (weight !== undefined) pool.setWeight(id, weight);
  if (state !== undefined) pool.setState(id, state, { timeout });
  return json(200, snapshotOf(pool, id));
}

export function addUpstream(proxy: ReverseProxy, params: RouteParams, body: unknown): AdminResponse {
  const pool = findPool(proxy, params);
  const options = expectObject(body) as Partial<UpstreamOptions>;
  const problem = findUrlProblem(options.url);
  if (problem !== undefined) throw new OptionsError([{ path: ["url"], message: problem }]);
  const { id } = pool.add(options as UpstreamOptions);
  // Relative to the collection, so that it is right at any path the API is mounted at.
  return json(201, snapshotOf(pool, id), { location: `upstreams/${encodeURIComponent(id)}` });
}

/** Returns 202 even if nothing is in flight: the upstream gets no new requests, and is removed once it has drained. */
export function removeUpstream(proxy: ReverseProxy, params: RouteParams, body: unknown): AdminResponse {
  expectEmptyBody(body);
  const pool = findPool(proxy, params);
  const { id, inFlight, tunnels } = findUpstream(pool, params.upstream);
  pool.remove(id);
  return json(202, { id, state: "draining", inFlight: inFlight - tunnels, tunnels });
}

function findPool(proxy: ReverseProxy, { pool: name }: RouteParams): Pool {
  const pool = proxy.pools.get(name);
  if (pool === undefined) throw new HttpError(404, "unknown_pool", `there is no pool ${JSON.stringify(name)}`);
  return pool;
}

function findUpstream(pool: Pool, id: string): Upstream {
  return pool.get(id) ?? throwUnknownUpstream(pool, id);
}

function snapshotOf(pool: Pool, id: string): UpstreamSnapshot {
  return pool.upstreamSnapshot(id) ?? throwUnknownUpstream(pool, id);
}

function throwUnknownUpstream(pool: Pool, id: string): never {
  throw new HttpError(404, "unknown_upstream", `pool "${pool.name}" has no upstream ${JSON.stringify(id)}`);
}

function toChange(body: unknown): UpstreamChange {
  const change = expectObject(body);
  const issues = checkUpstreamChange(change);
  if (issues.length > 0) throw new OptionsError(issues);
  return change;
}

/**
 * Rejects URLs that only the configuration file may add: addresses that serve cloud credentials, and Unix sockets of this
 * machine, such as that of a container engine.
 */
function findUrlProblem(text: unknown): string | undefined {
  if (typeof text !== "string" || !URL.canParse(text)) return undefined;
  const { protocol, hostname } = new URL(text);
  if (protocol === "http+unix:") return "a Unix socket can only be added in the configuration";
  if (isLinkLocalOrMetadata(hostname)) {
    return "a link-local address or a metadata service can only be added in the configuration";
  }
  return undefined;
}
