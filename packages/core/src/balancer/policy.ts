import type { Upstream } from "../pool/upstream.ts";
import type { Random } from "../runtime/random.ts";

/** What a policy may know when it picks. */
export interface PickContext {
  /** At least one; all of them may be picked, and none of them has been tried for this request. */
  readonly candidates: readonly Upstream[];
  /** What a hashing policy hashes. */
  readonly key: string | undefined;
  readonly random: Random;
}

/**
 * A way to choose one of several upstreams.
 *
 * It honours `effectiveWeight`, sees only upstreams that may be picked, and never sees health.
 */
export interface Policy {
  readonly name: string;
  pick(context: PickContext): Upstream;
}
