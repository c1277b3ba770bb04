import type { Candidate, PickContext, Policy, Weighed } from "../policy.ts";
import { drawByWeight, weighByWeight } from "./by-weight.ts";

/** Picks by chance, each upstream as often as its weight says. No state, two passes over the candidates. */
export class Random implements Policy {
  readonly name = "random";

  pick({ candidates, random }: PickContext): Candidate {
    return drawByWeight(candidates, random);
  }

  weigh({ candidates }: PickContext): Weighed[] {
    return weighByWeight(candidates);
  }
}
