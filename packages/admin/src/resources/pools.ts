/** The pools of the admin API. */

import {
  checkUpstreamChange,
  isLinkLocalOrMetadata,
  OptionsError,
  type PoolSnapshot,
  type UpstreamChange,
  type UpstreamOptions,
  type UpstreamSnapshot,
} from "evenkeel";
import { HttpError } from "../http/http-error.ts";
import { expectEmptyBody, expectObject } from "../http/request-body.ts";
import { type AdminResponse, json } from "../http/response.ts";
import type { RouteParams } from "../routes.ts";
import type { AdminTarget } from "../target/admin-target.ts";

export async function listPools(target: AdminTarget): Promise<AdminResponse> {
  return json(200, { pools: (await target.snapshot()).pools });
}

export async function showPool(target: AdminTarget, params: RouteParams): Promise<AdminResponse> {
  return json(200, await poolSnapshot(target, params.pool));
}

export async function listUpstreams(target: AdminTarget, params: RouteParams): Promise<AdminResponse> {
  return json(200, { upstreams: (await poolSnapshot(target, params.pool)).upstreams });
}

export async function showUpstream(target: AdminTarget, params: RouteParams): Promise<AdminResponse> {
  return json(200, await upstreamSnapshot(target, params.pool, params.upstream));
}

export async function changeUpstream(
  target: AdminTarget,
  { pool, upstream }: RouteParams,
  body: unknown,
): Promise<AdminResponse> {
  const { id } = await upstreamSnapshot(target, pool, upstream);
  await target.setUpstream(pool, id, toChange(body));
  return json(200, await upstreamSnapshot(target, pool, id));
}

export async function addUpstream(target: AdminTarget, { pool }: RouteParams, body: unknown): Promise<AdminResponse> {
  await poolSnapshot(target, pool);
  const options = expectObject(body) as Partial<UpstreamOptions>;
  const problem = findUrlProblem(options.url);
  if (problem !== undefined) throw new OptionsError([{ path: ["url"], message: problem }]);
  const id = await target.addUpstream(pool, options as UpstreamOptions);
  // Relative to the collection, so that it is right at any path the API is mounted at.
  const headers = { location: `upstreams/${encodeURIComponent(id)}` };
  return json(201, await upstreamSnapshot(target, pool, id), headers);
}

/** Returns 202 even if nothing is in flight: the upstream gets no new requests, and is removed once it has drained. */
export async function removeUpstream(
  target: AdminTarget,
  { pool, upstream }: RouteParams,
  body: unknown,
): Promise<AdminResponse> {
  expectEmptyBody(body);
  const { id, inFlight, tunnels } = await upstreamSnapshot(target, pool, upstream);
  await target.removeUpstream(pool, id);
  return json(202, { id, state: "draining", inFlight, tunnels });
}

async function poolSnapshot(target: AdminTarget, name: string): Promise<PoolSnapshot> {
  const { pools } = await target.snapshot();
  const pool = pools.find((candidate) => candidate.name === name);
  if (pool === undefined) throw new HttpError(404, "unknown_pool", `there is no pool ${JSON.stringify(name)}`);
  return pool;
}

async function upstreamSnapshot(target: AdminTarget, pool: string, id: string): Promise<UpstreamSnapshot> {
  const { upstreams } = await poolSnapshot(target, pool);
  const upstream = upstreams.find((candidate) => candidate.id === id);
  if (upstream !== undefined) return upstream;
  throw new HttpError(404, "unknown_upstream", `pool "${pool}" has no upstream ${JSON.stringify(id)}`);
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
