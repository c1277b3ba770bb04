import type { Candidate, Weighed } from "../policy.ts";
import { formatNumber } from "./format-number.ts";

/** The probability of each candidate by weight alone. Also used for policies without `weigh`. */
export function sharesByWeight(candidates: readonly Candidate[]): Weighed[] {
  const total = candidates.reduce((sum, { effectiveWeight }) => sum + effectiveWeight, 0);
  return candidates.map(({ effectiveWeight }) => ({
    chance: effectiveWeight / total,
    because: `weight ${formatNumber(effectiveWeight)} of ${formatNumber(total)}`,
  }));
}
