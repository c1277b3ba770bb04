export function median(figures) {
  if (figures.length === 0) return Number.NaN;
  const sorted = figures.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The ratios of each round, in order. */
function ratiosOf(figures, others) {
  return figures
    .slice(0, others.length)
    .map((figure, round) => figure / others[round])
    .sort((a, b) => a - b);
}

/** The median and the range of the ratios of each round, such as "0.62 (0.60 to 0.65)". */
export function spreadOf(figures, others) {
  const ratios = ratiosOf(figures, others);
  if (ratios.length === 0) return "";
  const middle = median(ratios).toFixed(2);
  return ratios.length === 1 ? middle : `${middle} (${ratios[0].toFixed(2)} to ${ratios.at(-1).toFixed(2)})`;
}

/** The median of the ratios of each round, since a disturbance of a round affects both. */
export function medianRatio(figures, others) {
  return median(ratiosOf(figures, others));
}
