import type { ErrorCode } from "../errors.ts";
import type { RoutedArrival } from "../forward/arrival.ts";
import { upstreamHost, upstreamPath } from "../forward/upstream-request.ts";
import type { Weighed } from "../policy.ts";
import type { Pool } from "../pool/pool.ts";
import type { Upstream } from "../pool/upstream.ts";
import { reasonsOf } from "./explain-upstream.ts";
import type { PoolExplanation, UpstreamExplanation } from "./explanation.ts";

/** What a pool would do with a request; `code` is why it would refuse it, or null. */
export function explainPool(arrival: RoutedArrival): { pool: PoolExplanation; code: ErrorCode | null } {
  const { pool, balancer, keyOf } = arrival.route;
  const { hashOn, queue } = pool.options;
  const key = keyOf?.(arrival);
  const weighed = balancer.weigh({ key });
  const { next, because, code } = nextStep(pool, weighed.size);
  const explained: PoolExplanation = {
    name: pool.name,
    policy: balancer.policy.name,
    hash: keyOf === undefined ? null : { on: hashOn, key: key ?? null },
    next,
    because,
    panic: pool.panic,
    queue: { depth: pool.queue.depth, max: queue.max },
    upstreams: pool.upstreams.map((upstream) => explainUpstream(upstream, arrival, weighed.get(upstream))),
  };
  return { pool: explained, code };
}

function nextStep(
  pool: Pool,
  candidates: number,
): Pick<PoolExplanation, "next" | "because"> & { code: ErrorCode | null } {
  if (candidates > 0) {
    const because = pool.panic
      ? "nothing is available, so whatever is left may be picked"
      : `${candidates} may be picked`;
    return { next: "pick", because, code: null };
  }
  if (!pool.mayFreeUp([])) return { next: "refuse", because: "nothing may be picked", code: "none_available" };
  const { depth, options } = pool.queue;
  if (depth < options.max) return { next: "wait", because: "all that could be picked is full", code: null };
  return { next: "refuse", because: `all that could be picked is full, and so is the queue`, code: "queue_full" };
}

function explainUpstream(
  upstream: Upstream,
  { route, target, head }: RoutedArrival,
  weighed: Weighed | undefined,
): UpstreamExplanation {
  const { id, url, address, weight, effectiveWeight } = upstream;
  const reasons = reasonsOf(upstream, route.pool);
  const against = reasons.filter(({ speaks }) => speaks === "against").map(({ text }) => text);
  return {
    id,
    url,
    path: upstreamPath(target, route.options, address),
    host: upstreamHost(head, route.options, address),
    candidate: weighed !== undefined,
    chance: weighed?.chance ?? 0,
    because: weighed?.because ?? against.join("; "),
    weight,
    effectiveWeight,
    reasons,
  };
}
