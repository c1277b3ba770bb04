/** The pool resources of the admin API. A target is looked up and changed in one turn, after the body has been read. */

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
import { expectNothing, toTable } from "../http/request-body.ts";
import { type Answer, json, Refusal } from "../http/response.ts";

/** What a request's target names; empty where it names nothing. */
export interface Target {
  readonly pool: string;
  readonly upstream: string;
  readonly query: URLSearchParams;
}

export function listPools(proxy: ReverseProxy): Answer {
  return json(200, { pools: proxy.snapshot().pools });
}

export function showPool(proxy: ReverseProxy, target: Target): Answer {
  return json(200, findPool(proxy, target).snapshot());
}

export function listUpstreams(proxy: ReverseProxy, target: Target): Answer {
  return json(200, { upstreams: findPool(proxy, target).snapshot().upstreams });
}

export function showUpstream(proxy: ReverseProxy, target: Target): Answer {
  return json(200, snapshotOf(findPool(proxy, target), target.upstream));
}

export function changeUpstream(proxy: ReverseProxy, target: Target, body: unknown): Answer {
  const pool = findPool(proxy, target);
  const { id } = findUpstream(pool, target.upstream);
  const { weight, state, timeout } = toChange(body);
  if (weight !== undefined) pool.setWeight(id, weight);
  if (state !== undefined) pool.setState(id, state, { timeout });
  return json(200, snapshotOf(pool, id));
}

export function addUpstream(proxy: ReverseProxy, target: Target, body: unknown): Answer {
  const pool = findPool(proxy, target);
  const options = toTable(body) as Partial<UpstreamOptions>;
  const objection = objectionTo(options.url);
  if (objection !== undefined) throw new OptionsError([{ path: ["url"], message: objection }]);
  const { id } = pool.add(options as UpstreamOptions);
  // Relative to the collection, so that it holds wherever the API is mounted.
  return json(201, snapshotOf(pool, id), { location: `upstreams/${encodeURIComponent(id)}` });
}

/** 202 also when nothing was in flight: the upstream takes no more requests, and goes when it has none. */
export function removeUpstream(proxy: ReverseProxy, target: Target, body: unknown): Answer {
  expectNothing(body);
  const pool = findPool(proxy, target);
  const { id, inFlight, tunnels } = findUpstream(pool, target.upstream);
  pool.remove(id);
  return json(202, { id, state: "draining", inFlight: inFlight - tunnels, tunnels });
}

function findPool(proxy: ReverseProxy, { pool: name }: Target): Pool {
  const pool = proxy.pools.get(name);
  if (pool === undefined) throw new Refusal(404, "unknown_pool", `there is no pool ${JSON.stringify(name)}`);
  return pool;
}

function findUpstream(pool: Pool, id: string): Upstream {
  return pool.get(id) ?? refuseUpstream(pool, id);
}

function snapshotOf(pool: Pool, id: string): UpstreamSnapshot {
  return pool.upstreamSnapshot(id) ?? refuseUpstream(pool, id);
}

function refuseUpstream(pool: Pool, id: string): never {
  throw new Refusal(404, "unknown_upstream", `pool "${pool.name}" has no upstream ${JSON.stringify(id)}`);
}

function toChange(body: unknown): UpstreamChange {
  const change = toTable(body);
  const issues = checkUpstreamChange(change);
  if (issues.length > 0) throw new OptionsError(issues);
  return change;
}

/**
 * What an upstream from the configuration file may be and one from the network may not: an address that hands out
 * cloud credentials, or a Unix socket of this machine such as a container engine's.
 */
function objectionTo(text: unknown): string | undefined {
  if (typeof text !== "string" || !URL.canParse(text)) return undefined;
  const { protocol, hostname } = new URL(text);
  if (protocol === "http+unix:") return "a Unix socket can only be added in the configuration";
  if (isLinkLocalOrMetadata(hostname)) {
    return "a link-local address or a metadata service can only be added in the configuration";
  }
  return undefined;
}
