import type { Candidate, PickContext, Policy, Weighed } from "../policy.ts";
import { SmoothTurns, weighTurns } from "./smooth-weighted-round-robin.ts";
import { oncePerList, WeightedList } from "./weighted-list.ts";

/** Gives each upstream its exact share, spread as evenly as whole picks allow. Linear in the number of candidates. */
export class RoundRobin implements Policy {
  readonly name = "round-robin";
  readonly #turns = new SmoothTurns();
  readonly #listed = oncePerList((candidates) => ({
    list: new WeightedList(candidates),
    all: candidates.map((_, index) => index),
  }));

  pick({ candidates }: PickContext): Candidate {
    const { list, all } = this.#listed(candidates);
    return candidates[this.#turns.take(list, all)] as Candidate;
  }

  weigh({ candidates }: PickContext): Weighed[] {
    const { list, all } = this.#listed(candidates);
    return weighTurns(this.#turns.ahead(list, all));
  }
}
