import type { PoolOptions, UpstreamOptions } from "../../src/config/options.ts";
import { Pool } from "../../src/pool/pool.ts";
import type { Upstream } from "../../src/pool/upstream.ts";
import { seededRandom } from "./seeded-random.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** What a test says of a member: its weight, or more. */
export type MemberSketch = number | Omit<UpstreamOptions, "id" | "url">;

/** A pool on virtual time. Its members are named by the keys and never connected to. */
export function poolOf(
  members: Readonly<Record<string, MemberSketch>>,
  settings: Omit<PoolOptions, "upstreams"> = {},
): { pool: Pool; clock: VirtualClock; runtime: { clock: VirtualClock; random: () => number } } {
  const clock = new VirtualClock();
  const runtime = { clock, random: seededRandom() };
  const pool = new Pool("api", { ...settings, upstreams: upstreamsOf(members) }, runtime);
  return { pool, clock, runtime };
}

export function upstreamsOf(members: Readonly<Record<string, MemberSketch>>): UpstreamOptions[] {
  return Object.entries(members).map(([id, sketch]) => ({
    ...(typeof sketch === "number" ? { weight: sketch } : sketch),
    id,
    url: urlOf(id),
  }));
}

export function urlOf(id: string): string {
  return `http://${id}.internal:3000`;
}

/** A member that has to be there. */
export function memberOf(pool: Pool, id: string): Upstream {
  const member = pool.get(id);
  if (member === undefined) throw new Error(`no member ${id}`);
  return member;
}

export function idsOf(upstreams: readonly Upstream[]): string[] {
  return upstreams.map(({ id }) => id);
}
