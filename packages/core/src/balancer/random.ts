import type { Candidate, PickContext, Policy, Weighed } from "../policy.ts";
import { weighByWeight } from "./weight-share.ts";
import { weightedLists } from "./weighted-list.ts";

/** Picks by chance, each upstream as often as its weight says. */
export class Random implements Policy {
  readonly name = "random";
  readonly #weighted = weightedLists();

  pick({ candidates, random }: PickContext): Candidate {
    return candidates[this.#weighted(candidates).draw(random)] as Candidate;
  }

  weigh({ candidates }: PickContext): Weighed[] {
    return weighByWeight(candidates);
  }
}
