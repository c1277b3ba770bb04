import type { Upstream } from "../pool/upstream.ts";
import type { PickedBy } from "../tracing/messages.ts";
import { TracedAttempt } from "../tracing/traced-attempt.ts";
import type { TracedRequest } from "../tracing/traced-request.ts";
import type { BalancedPool } from "./upstream-selector.ts";

/** How the upstream of an attempt was selected. */
export interface SelectionNote {
  readonly by: PickedBy;
  readonly lastResort: boolean;
  /** The upstreams that were tried before in this round. */
  readonly tried: readonly Upstream[];
}

/** Describes an attempt and why its upstream was picked. To be called after the pick and before the attempt begins. */
export function traceAttempt(
  request: TracedRequest,
  { pool, balancer }: BalancedPool,
  upstream: Upstream,
  { by, lastResort, tried }: SelectionNote,
): TracedAttempt {
  const candidates = lastResort ? pool.lastResort(tried) : pool.candidatesExcept(tried);
  const destination = { pool: pool.name, upstream, http2: pool.options.connections.http2 };
  return new TracedAttempt(request, destination, {
    by,
    policy: balancer.policy?.name ?? "",
    candidates: candidates.length,
    // The stale attempt is still in flight.
    inFlight: by === "stale" ? upstream.inFlight - 1 : upstream.inFlight,
    weight: upstream.effectiveWeight,
    lastResort,
    panic: pool.panic,
  });
}
