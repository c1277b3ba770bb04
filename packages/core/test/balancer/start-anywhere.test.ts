import { expect, test } from "vitest";
import { Balancer } from "../../src/balancer/balancer.ts";
import type { PolicyName } from "../../src/config/options.ts";
import { Pool } from "../../src/pool/pool.ts";
import { upstreamsOf } from "../support/pools.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const ids = Array.from({ length: 10 }, (_, at) => `u${at}`);

/** Balancers of processes that start together. */
function processesOf(count: number, policy: PolicyName): Balancer[] {
  return Array.from({ length: count }, (_, at) => {
    const runtime = { clock: new VirtualClock(), random: seededRandom(at) };
    const upstreams = upstreamsOf(Object.fromEntries(ids.map((id) => [id, 1])));
    const pool = new Pool("api", { upstreams, outlierDetection: false }, runtime);
    return new Balancer(pool, { policy, startAnywhere: true }, runtime);
  });
}

test.each(["round-robin", "least-requests"] as const)(
  "%s: processes do not all begin with the same upstream",
  (policy) => {
    const first = processesOf(40, policy).map((balancer) => balancer.pick()?.id);
    const most = Math.max(...ids.map((id) => first.filter((picked) => picked === id).length));
    expect(most).toBeLessThan(12);
    expect(new Set(first).size).toBeGreaterThan(7);
  },
);

test("each process takes turns exactly, wherever it begins", () => {
  for (const balancer of processesOf(5, "round-robin")) {
    const round = Array.from({ length: 30 }, () => balancer.pick()?.id);
    for (const id of ids) expect(round.filter((picked) => picked === id)).toHaveLength(3);
  }
});

test.each(["hash", "first"] as const)("%s: all processes pick the same upstream", (policy) => {
  for (let key = 0; key < 50; key++) {
    const picked = processesOf(4, policy).map((balancer) => balancer.pick({ key: `client-${key}` })?.id);
    expect(new Set(picked).size).toBe(1);
  }
});
