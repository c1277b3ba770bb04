/** Sharing by weight: what most policies begin with, and what is assumed of one that does not say how likely its picks are. */

import type { Candidate, Weighed } from "../policy.ts";
import type { Random } from "../runtime/random.ts";
import { figure } from "./figure.ts";

export function totalWeight(candidates: readonly Candidate[]): number {
  let total = 0;
  for (const upstream of candidates) total += upstream.effectiveWeight;
  return total;
}

/** Draws one candidate with a probability in proportion to its weight. `total` is that of the weights. */
export function drawByWeight(
  candidates: readonly Candidate[],
  random: Random,
  total: number = totalWeight(candidates),
): Candidate {
  let left = random() * total;
  for (const upstream of candidates) {
    left -= upstream.effectiveWeight;
    if (left < 0) return upstream;
  }
  // The sum was rounded up.
  return candidates.at(-1) as Candidate;
}

/** Draws one of the others by weight. There have to be some. */
export function drawAnother(
  candidates: readonly Candidate[],
  random: Random,
  total: number,
  first: Candidate,
): Candidate {
  let left = random() * (total - first.effectiveWeight);
  let drawn = first;
  for (const upstream of candidates) {
    if (upstream === first) continue;
    drawn = upstream;
    left -= upstream.effectiveWeight;
    if (left < 0) break;
  }
  return drawn;
}

/** How likely each is to be picked by weight alone. */
export function weighByWeight(candidates: readonly Candidate[]): Weighed[] {
  const total = totalWeight(candidates);
  return candidates.map(({ effectiveWeight }) => ({
    chance: effectiveWeight / total,
    because: `weight ${figure(effectiveWeight)} of ${figure(total)}`,
  }));
}
