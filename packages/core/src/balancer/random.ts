import type { Candidate, PickContext, Policy, Weighed } from "../policy.ts";
import { sharesByWeight } from "./weight-share.ts";
import { weightedLists } from "./weighted-list.ts";

/** Picks at random, in proportion to the weights. */
export class Random implements Policy {
  readonly name = "random";
  readonly #weighted = weightedLists();

  pick({ candidates, random }: PickContext): Candidate {
    return candidates[this.#weighted(candidates).draw(random)] as Candidate;
  }

  weigh({ candidates }: PickContext): Weighed[] {
    return sharesByWeight(candidates);
  }
}
