import type { Candidate, PickContext, Policy, Weighed } from "../policy.ts";
import type { Random } from "../runtime/random.ts";
import { SmoothWeightedRoundRobin, weighCounters } from "./smooth-weighted-round-robin.ts";
import { oncePerList, WeightedList } from "./weighted-list.ts";

/** Gives each upstream its exact share, as evenly spread as possible. Linear in the number of candidates. */
export class RoundRobin implements Policy {
  readonly name = "round-robin";
  readonly #turns: SmoothWeightedRoundRobin;
  readonly #listed = oncePerList((candidates) => ({
    list: new WeightedList(candidates),
    all: candidates.map((_, index) => index),
  }));

  constructor(random?: Random) {
    this.#turns = new SmoothWeightedRoundRobin(random);
  }

  pick({ candidates }: PickContext): Candidate {
    const { list, all } = this.#listed(candidates);
    return candidates[this.#turns.next(list, all)] as Candidate;
  }

  weigh({ candidates }: PickContext): Weighed[] {
    const { list, all } = this.#listed(candidates);
    return weighCounters(this.#turns.peek(list, all));
  }
}
