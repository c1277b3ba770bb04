import { Balancer } from "../../src/balancer/balancer.ts";
import type { PolicyName } from "../../src/config/options.ts";
import type { Upstream } from "../../src/pool/upstream.ts";
import { type MemberSketch, poolOf } from "./pools.ts";
import { seededRandom } from "./seeded-random.ts";

/** How an upstream answers a request: after so many milliseconds, well or badly. */
export interface Answer {
  readonly ms: number;
  readonly fails?: boolean;
}

/** Told the upstream, the time and a source of chance. */
export type Behaviour = (upstream: Upstream, now: number, random: () => number) => Answer;

/** Clients that come whenever they like, a given number a second on average, to upstreams that behave as told. */
export function simulateTraffic(
  policy: PolicyName,
  members: Readonly<Record<string, MemberSketch>>,
  { perSecond, behaviour, seed = 1 }: { perSecond: number; behaviour: Behaviour; seed?: number },
) {
  const { pool, clock } = poolOf(members, { outlierDetection: false });
  const chance = seededRandom(seed);
  const balancer = new Balancer(pool, { policy }, { clock, random: seededRandom(seed + 1) });

  const send = (counts: Record<string, number>) => {
    const upstream = balancer.pick();
    if (upstream === undefined) throw new Error("nobody");
    counts[upstream.id] = (counts[upstream.id] ?? 0) + 1;
    const attempt = pool.begin(upstream);
    const { ms, fails = false } = behaviour(upstream, clock.now(), chance);
    clock.setTimeout(() => {
      if (fails) return attempt.settle("reset");
      attempt.responded(ms, 200);
      attempt.settle("success");
    }, ms);
  };

  /** Lets so many requests come and returns how many went where. */
  const run = (requests: number): Record<string, number> => {
    const counts = Object.fromEntries(pool.upstreams.map(({ id }) => [id, 0]));
    for (let request = 0; request < requests; request++) {
      clock.advance((-Math.log(1 - chance()) * 1_000) / perSecond);
      send(counts);
    }
    return counts;
  };
  return { pool, clock, run };
}

/** Milliseconds around a middle, with the long tail that latencies have (log-normal): with a spread of 0.3, 1 in 100 is twice the middle. */
export function noisyMs(middle: number, random: () => number, spread = 0.3): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return middle * Math.exp(spread * normal);
}
