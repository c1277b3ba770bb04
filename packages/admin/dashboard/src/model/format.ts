/** Numbers and times as text: short, and of a stable width. */

/** What stands for a value that is not known. */
export const none = "–";

const spaced = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** A rate per second, such as `0.4`, `12.3` or `1,240`. */
export function formatRate(rate: number | null): string {
  if (rate === null) return none;
  if (rate === 0) return "0";
  if (rate < 0.05) return "<0.1";
  return rate < 99.95 ? rate.toFixed(1) : spaced.format(rate);
}

/** A ratio from 0 to 1 as a percentage, such as `0 %`, `<0.1 %` or `12.5 %`. */
export function formatRatio(ratio: number | null): string {
  if (ratio === null) return none;
  const percent = ratio * 100;
  if (percent === 0) return "0 %";
  if (percent < 0.1) return "<0.1 %";
  return percent < 9.95 ? `${percent.toFixed(1)} %` : `${Math.round(percent)} %`;
}

export function formatMs(ms: number | null): string {
  if (ms === null) return none;
  if (ms < 0.995) return `${ms.toFixed(2)} ms`;
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 9_995) return `${spaced.format(ms)} ms`;
  return `${(ms / 1_000).toFixed(1)} s`;
}

export function formatCount(count: number): string {
  return spaced.format(count);
}

export function formatWeight(weight: number): string {
  return Number.isInteger(weight) ? `${weight}` : weight.toFixed(weight < 10 ? 2 : 1).replace(/\.?0+$/, "");
}

/** A duration in its two largest units, such as `42 s`, `2 min 14 s`, `3 h 5 min` or `12 d`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(Math.floor(ms / 1_000), 0);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return join(minutes, "min", seconds % 60, "s");
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return join(hours, "h", minutes % 60, "min");
  const days = Math.floor(hours / 24);
  return days < 7 ? join(days, "d", hours % 24, "h") : `${days} d`;
}

/** The local time of day; with the date unless it is today. */
export function formatTime(time: number, now: number): string {
  const date = new Date(time);
  const clock = date.toLocaleTimeString("en-GB");
  if (date.toDateString() === new Date(now).toDateString()) return clock;
  return `${date.toLocaleDateString("en-CA")} ${clock}`;
}

/** `1 upstream`, `3 upstreams`. */
export function countOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

function join(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}
