/** Short texts for numbers and times in tables. "-" stands for a value that is not known. */

/** Formats a rate per second, as in `0.4`, `82` or `12.3k`. */
export function formatRate(perSecond: number | null): string {
  if (perSecond === null) return "-";
  if (perSecond >= 9_999.5) return `${(perSecond / 1_000).toFixed(1)}k`;
  if (perSecond >= 9.95) return perSecond.toFixed(0);
  return perSecond > 0 && perSecond < 0.05 ? "<0.1" : perSecond.toFixed(1).replace(/\.0$/, "");
}

/** Formats a ratio from 0 to 1 as a percentage. Only a ratio of 0 is `0 %`, and only one of 1 is `100 %`. */
export function formatRatio(ratio: number | null): string {
  if (ratio === null) return "-";
  if (ratio <= 0) return "0 %";
  if (ratio >= 1) return "100 %";
  const percent = ratio * 100;
  if (percent < 0.1) return "<0.1 %";
  return percent < 9.95 ? `${percent.toFixed(1)} %` : `${Math.min(99, Math.round(percent))} %`;
}

/** Formats milliseconds, as in `1.2 ms`, `152 ms` or `2.5 s`. */
export function formatMs(ms: number | null): string {
  if (ms === null) return "-";
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  return ms < 999.5 ? `${ms.toFixed(0)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** Formats a duration in the largest unit of which there are at least two, as in `90s`, `5m`, `47h` or `3d`. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h` : `${Math.floor(hours / 24)}d`;
}

/** Formats the time of the day in UTC, as in `13:05:09Z`. */
export function formatTime(time: number): string {
  return `${toIso(time).slice(11, 19)}Z`;
}

/** Formats a date and time in UTC without fractions of a second. */
export function formatDate(time: number): string {
  return `${toIso(time).slice(0, 19)}Z`;
}

/** Formats a weight as in `3`, or as in `0.75 of 3` while slow start, feedback or the announced load changes it. */
export function formatWeight(weight: number, effectiveWeight: number): string {
  if (effectiveWeight === weight) return String(weight);
  return `${Math.round(effectiveWeight * 100) / 100} of ${weight}`;
}

/** A `Date` has a limit, which a number in a response may exceed. */
function toIso(time: number): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? "-".repeat(19) : date.toISOString();
}
