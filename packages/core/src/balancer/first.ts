import type { Candidate, PickContext, Policy, Weighed } from "../policy.ts";

/**
 * Picks the first candidate in the order of the configuration, regardless of weights. Requests spill over to the next one
 * while the first is full.
 */
export class First implements Policy {
  readonly name = "first";

  pick({ candidates }: PickContext): Candidate {
    return candidates[0] as Candidate;
  }

  weigh({ candidates }: PickContext): Weighed[] {
    return candidates.map((_, index) =>
      index === 0
        ? { chance: 1, because: "first candidate in order" }
        : { chance: 0, because: `${index} ${index === 1 ? "candidate" : "candidates"} before it in order` },
    );
  }
}
