/** What becomes of a client that is bound to an upstream of its own: asked for each attempt, and when a request is explained. */

import type { ErrorCode } from "../errors.ts";
import type { Standing } from "../pool/availability/availability.ts";
import type { Pool } from "../pool/pool.ts";
import type { Upstream } from "../pool/upstream.ts";

/** Whether a client's own upstream can be had. One that is not known may be found while its pool is still looked up. */
export function standingOfOwn(own: Upstream | undefined, pool: Pool): Standing {
  if (own === undefined) return pool.lookups.expectsMore ? "later" : "gone";
  return pool.standing(own);
}

/**
 * Its own upstream serves it, or is waited for; another serves it this once; another serves it and it is bound to that; or
 * it is turned away.
 */
export type BoundOutcome = "kept" | "waits" | "guest" | "rebound" | "refused";

/** `faithful` clients are served by their own upstream or by none. */
export function boundOutcome(standing: Standing, mayWait: boolean, faithful: boolean): BoundOutcome {
  if (standing === "ready") return "kept";
  if (standing === "later" && mayWait) return "waits";
  if (faithful) return "refused";
  return standing === "later" ? "guest" : "rebound";
}

/** What a client that is turned away is told, when nothing has failed before. */
export function refusalOfBound(standing: Standing): ErrorCode {
  return standing === "later" ? "queue_full" : "sticky_unavailable";
}
