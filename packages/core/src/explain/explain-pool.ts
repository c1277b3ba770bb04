import { affinityError } from "../attempts/session-affinity.ts";
import type { ErrorCode } from "../errors.ts";
import { upstreamHost, upstreamPath } from "../forward/headers/upstream-headers.ts";
import type { Weighed } from "../policy.ts";
import type { Pool } from "../pool/pool.ts";
import type { Upstream } from "../pool/upstream.ts";
import type { RoutedRequest } from "../request/routed-request.ts";
import { explainSticky } from "./explain-sticky.ts";
import { reasonsOf } from "./explain-upstream.ts";
import type { PoolExplanation, StickyExplanation, UpstreamExplanation } from "./explanation.ts";

/** Explains what a pool would do with a request. `code` is the error of a refusal, or null. */
export function explainPool(arrival: RoutedRequest): { pool: PoolExplanation; code: ErrorCode | null } {
  const { pool, balancer, keyOf } = arrival.route;
  const { hashOn } = pool.options;
  const { depth, share, options } = pool.queue;
  const key = keyOf?.(arrival);
  const sticky = explainSticky(arrival);
  const weighed = balancer.weigh({ key });
  const { next, because, code } = stepOfBound(sticky) ?? nextStep(pool, weighed.size);
  const explained: PoolExplanation = {
    name: pool.name,
    policy: balancer.policy.name,
    hash: keyOf === undefined ? null : { on: hashOn, key: key ?? null },
    next,
    because,
    panic: pool.panic,
    queue: { depth, max: options.max, ...(share !== undefined && { share }) },
    outage: pool.outage.snapshot,
    sticky,
    upstreams: pool.upstreams.map((upstream) => {
      const explained = explainUpstream(upstream, arrival, weighed.get(upstream));
      return { ...explained, ...shareOfBound(sticky, upstream) };
    }),
  };
  return { pool: explained, code };
}

interface Step extends Pick<PoolExplanation, "next" | "because"> {
  readonly code: ErrorCode | null;
}

/** Undefined when the policy picks. */
function stepOfBound(sticky: StickyExplanation | null): Step | undefined {
  if (sticky === null || sticky.standing === null) return undefined;
  const { outcome, standing, because } = sticky;
  if (outcome === "kept") return { next: "pick", because, code: null };
  if (outcome === "waits") return { next: "wait", because, code: null };
  return outcome === "refused" ? { next: "refuse", because, code: affinityError(standing) } : undefined;
}

/** Overrides the chances of the policy for a client that only its bound upstream may serve. */
function shareOfBound(
  sticky: StickyExplanation | null,
  { id }: Upstream,
): Partial<Pick<UpstreamExplanation, "chance" | "because">> {
  if (sticky === null || !["kept", "waits", "refused"].includes(sticky.outcome)) return {};
  if (sticky.upstream === null) return { chance: 0, because: sticky.because };
  const isBound = id === sticky.upstream;
  const because = `the client is bound to ${isBound ? "this upstream" : sticky.upstream}`;
  return isBound && sticky.outcome !== "kept" ? { chance: 0 } : { chance: isBound ? 1 : 0, because };
}

function nextStep(pool: Pool, candidates: number): Step {
  if (candidates > 0) {
    const because = pool.panic
      ? "no upstream is available, so unhealthy and ejected ones may be picked"
      : `${candidates} ${candidates === 1 ? "upstream" : "upstreams"} may be picked`;
    return { next: "pick", because, code: null };
  }
  if (!pool.mayFreeUp([])) return { next: "refuse", because: "no upstream may be picked", code: "none_available" };
  if (pool.queue.hasRoom) return { next: "wait", because: "all usable upstreams are full", code: null };
  return { next: "refuse", because: "all usable upstreams are full, and so is the queue", code: "queue_full" };
}

function explainUpstream(
  upstream: Upstream,
  { route, target, head }: RoutedRequest,
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
