import type { PoolSnapshot } from "../snapshot.ts";
import type { Pool } from "./pool.ts";
import type { Member } from "./upstream.ts";

/** Takes a snapshot of a pool and its members. */
export function poolSnapshot(pool: Pool, members: readonly Member[], policy: string = nameOf(pool)): PoolSnapshot {
  return Object.freeze({
    name: pool.name,
    policy,
    available: pool.available.filter(({ weight }) => weight > 0).length,
    panic: pool.panic,
    serving: pool.serving,
    since: pool.servingSince,
    inFlight: pool.inFlight,
    tunnels: pool.tunnels,
    queueDepth: pool.queue.depth,
    queueMax: pool.queue.options.max,
    outage: pool.outage.snapshot,
    retryBudgetExhausted: pool.retryBudget.exhausted,
    ...pool.traffic.snapshot(),
    discovery: pool.discoveryStatus.state,
    upstreams: Object.freeze(members.map((member) => member.snapshot())),
  });
}

function nameOf({ options }: Pool): string {
  return typeof options.balance === "string" ? options.balance : options.balance.name;
}
