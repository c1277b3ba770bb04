import type { Candidate, PickContext, Policy, Weighed } from "../policy.ts";

/**
 * Picks the first that may be picked, in the order of the configuration, whatever the weights: the next one gets what
 * spills over a full one.
 */
export class First implements Policy {
  readonly name = "first";

  pick({ candidates }: PickContext): Candidate {
    return candidates[0] as Candidate;
  }

  weigh({ candidates }: PickContext): Weighed[] {
    return candidates.map((_, index) =>
      index === 0
        ? { chance: 1, because: "the first in order that may be picked" }
        : { chance: 0, because: `${index} before it in order` },
    );
  }
}
