/** Sharing by weight alone: what is assumed of a policy that does not say how likely its picks are. */

import type { Candidate, Weighed } from "../policy.ts";
import { figure } from "./format-number.ts";

/** How likely each is to be picked by weight alone. */
export function weighByWeight(candidates: readonly Candidate[]): Weighed[] {
  const total = candidates.reduce((sum, { effectiveWeight }) => sum + effectiveWeight, 0);
  return candidates.map(({ effectiveWeight }) => ({
    chance: effectiveWeight / total,
    because: `weight ${figure(effectiveWeight)} of ${figure(total)}`,
  }));
}
