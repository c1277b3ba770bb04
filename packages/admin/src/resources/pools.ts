/** The pool resources of the admin API. A target is looked up and changed in one turn, after the body has been read. */

import {
  type ConfigIssue,
  type Duration,
  didYouMean,
  isLinkLocalOrMetadata,
  OptionsError,
  type Pool,
  parseDuration,
  type Proxy as ReverseProxy,
  type UpstreamOptions,
  type UpstreamSnapshot,
  type UpstreamState,
} from "evenkeel";
import { expectNothing, toTable } from "../http/request-body.ts";
import { type Answer, json, Refusal } from "../http/response.ts";

/** What a request's target names; empty where it names nothing. */
export interface Target {
  readonly pool: string;
  readonly upstream: string;
  readonly query: URLSearchParams;
}

interface UpstreamChange {
  readonly weight?: number | undefined;
  readonly state?: UpstreamState | undefined;
  /** How long the tunnels of an upstream that drains or is disabled may go on. */
  readonly timeout?: Duration | undefined;
}

const changeKeys = ["weight", "state", "timeout"];
const states = ["active", "draining", "disabled"];

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
  return json(200, findUpstream(findPool(proxy, target), target.upstream));
}

export function changeUpstream(proxy: ReverseProxy, target: Target, body: unknown): Answer {
  const pool = findPool(proxy, target);
  const { id } = findUpstream(pool, target.upstream);
  const change = toChange(body);
  // The weight goes first: its range is the pool's to judge, and nothing that follows can fail.
  if (change.weight !== undefined) pool.setWeight(id, change.weight);
  if (change.state !== undefined) pool.setState(id, change.state, { timeout: change.timeout });
  return json(200, findUpstream(pool, id));
}

export function addUpstream(proxy: ReverseProxy, target: Target, body: unknown): Answer {
  const pool = findPool(proxy, target);
  const options = toTable(body) as Partial<UpstreamOptions>;
  const objection = objectionTo(options.url);
  if (objection !== undefined) throw new OptionsError([{ path: ["url"], message: objection }]);
  const { id } = pool.add(options as UpstreamOptions);
  // Relative to the collection, so that it holds wherever the API is mounted.
  return json(201, findUpstream(pool, id), { location: `upstreams/${encodeURIComponent(id)}` });
}

/** 202 also when nothing was in flight: the upstream takes no more requests, and goes when it has none. */
export function removeUpstream(proxy: ReverseProxy, target: Target, body: unknown): Answer {
  expectNothing(body);
  const pool = findPool(proxy, target);
  const { id, inFlight, tunnels } = findUpstream(pool, target.upstream);
  pool.remove(id);
  return json(202, { id, state: "draining", inFlight, tunnels });
}

function findPool(proxy: ReverseProxy, { pool: name }: Target): Pool {
  const pool = proxy.pools.get(name);
  if (pool === undefined) throw new Refusal(404, "unknown_pool", `there is no pool ${JSON.stringify(name)}`);
  return pool;
}

function findUpstream(pool: Pool, id: string): UpstreamSnapshot {
  const upstream = pool.snapshot().upstreams.find((other) => other.id === id);
  if (upstream !== undefined) return upstream;
  throw new Refusal(404, "unknown_upstream", `pool "${pool.name}" has no upstream ${JSON.stringify(id)}`);
}

function toChange(body: unknown): UpstreamChange {
  const table = toTable(body);
  const issues: ConfigIssue[] = [];
  const keys = Object.keys(table);
  if (keys.length === 0) issues.push({ path: [], message: `expected at least one of ${changeKeys.join(", ")}` });
  for (const key of keys) {
    if (changeKeys.includes(key)) continue;
    issues.push({ path: [key], message: `unknown key${didYouMean(key, changeKeys)}` });
  }
  const { weight, state, timeout } = table as UpstreamChange;
  if (weight !== undefined && !Number.isInteger(weight)) {
    issues.push({ path: ["weight"], message: "expected a whole number" });
  }
  if (state !== undefined && !states.includes(state)) {
    issues.push({ path: ["state"], message: `expected one of ${states.map((word) => `"${word}"`).join(", ")}` });
  }
  if (timeout !== undefined && (typeof timeout !== "string" || parseDuration(timeout) === undefined)) {
    issues.push({ path: ["timeout"], message: 'expected a duration such as "30s"' });
  } else if (timeout !== undefined && state !== "draining" && state !== "disabled") {
    issues.push({ path: ["timeout"], message: "a timeout goes with the states draining and disabled" });
  }
  if (issues.length > 0) throw new OptionsError(issues);
  return { weight, state, timeout };
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
