import type { Candidate, PickContext, Policy } from "../policy.ts";
import type { Random as RandomSource } from "../runtime/random.ts";

/** Picks by chance, each upstream as often as its weight says. No state, two passes over the candidates. */
export class Random implements Policy {
  readonly name = "random";

  pick({ candidates, random }: PickContext): Candidate {
    return drawByWeight(candidates, random);
  }
}

/** Draws one candidate with a probability in proportion to its weight, never `except`, unless it is the only one. */
export function drawByWeight(candidates: readonly Candidate[], random: RandomSource, except?: Candidate): Candidate {
  let total = 0;
  for (const upstream of candidates) if (upstream !== except) total += upstream.effectiveWeight;
  let left = random() * total;
  let drawn = candidates[0] as Candidate;
  for (const upstream of candidates) {
    if (upstream === except || upstream.effectiveWeight === 0) continue;
    drawn = upstream;
    left -= upstream.effectiveWeight;
    if (left < 0) break;
  }
  return drawn;
}
