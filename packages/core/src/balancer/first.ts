import type { Candidate, PickContext, Policy } from "../policy.ts";

/** Picks the first that may be picked, in the order of the configuration: the next one gets what spills over a full one. */
export class First implements Policy {
  readonly name = "first";

  pick({ candidates }: PickContext): Candidate {
    return candidates.find(({ effectiveWeight }) => effectiveWeight > 0) ?? (candidates[0] as Candidate);
  }
}
