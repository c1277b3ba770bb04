/**
 * Estimates a quantile in milliseconds, by interpolation within its bucket, as Prometheus does. Null without durations.
 *
 * `buckets` has the number of durations up to each bound, which are seconds, and last the number of all.
 */
export function quantileOf(bounds: readonly number[], buckets: ArrayLike<number>, q: number): number | null {
  const count = buckets[bounds.length] ?? 0;
  if (count <= 0) return null;
  const rank = q * count;
  for (const [index, bound] of bounds.entries()) {
    const cumulative = buckets[index] ?? 0;
    if (cumulative < rank) continue;
    const lower = bounds[index - 1] ?? 0;
    const below = buckets[index - 1] ?? 0;
    return (lower + ((bound - lower) * (rank - below)) / (cumulative - below)) * 1_000;
  }
  return (bounds.at(-1) ?? 0) * 1_000;
}
