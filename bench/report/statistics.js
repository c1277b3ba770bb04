export function median(figures) {
  if (figures.length === 0) return Number.NaN;
  const sorted = figures.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median of the ratios of each round, since a disturbance of a round affects both. */
export function medianRatio(figures, others) {
  return median(figures.slice(0, others.length).map((figure, round) => figure / others[round]));
}
