import { isDeepStrictEqual } from "node:util";
import type { HistogramSnapshot, Quantiles } from "../../snapshot.ts";

/** Counts durations in fixed buckets, without allocation. */
export class Histogram {
  #bounds: readonly number[];
  #buckets: number[];
  #sum = 0;

  /** The upper bounds of the buckets in seconds, ascending and frozen. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#buckets = new Array<number>(bounds.length + 1).fill(0);
  }

  record(ms: number): void {
    const bounds = this.#bounds;
    const seconds = ms / 1_000;
    let index = 0;
    while (index < bounds.length && seconds > (bounds[index] as number)) index++;
    (this.#buckets[index] as number)++;
    this.#sum += seconds;
  }

  /** Keeps the counts: each former bucket is counted in the lowest of the new ones that is certain to hold it. */
  setBounds(bounds: readonly number[]): void {
    if (isDeepStrictEqual(bounds, this.#bounds)) return;
    const buckets = new Array<number>(bounds.length + 1).fill(0);
    for (const [index, count] of this.#buckets.entries()) {
      const upper = this.#bounds[index] ?? Infinity;
      const holder = bounds.findIndex((bound) => bound >= upper);
      (buckets[holder === -1 ? bounds.length : holder] as number) += count;
    }
    this.#bounds = bounds;
    this.#buckets = buckets;
  }

  /** The number of durations. */
  get count(): number {
    return this.#buckets.reduce((count, bucket) => count + bucket, 0);
  }

  snapshot(): HistogramSnapshot {
    let count = 0;
    const cumulative = this.#buckets.map((bucket) => {
      count += bucket;
      return count;
    });
    // In whole microseconds, which several processes can add in any order.
    const sum = Math.round(this.#sum * 1e6) / 1e6;
    return Object.freeze({ bounds: this.#bounds, counts: Object.freeze(cumulative.slice(0, -1)), count, sum });
  }

  quantiles(): Quantiles {
    return quantilesOf(this.snapshot());
  }
}

/** Estimates the quantiles of a histogram. */
export function quantilesOf(histogram: HistogramSnapshot): Quantiles {
  return Object.freeze({
    p50: quantile(histogram, 0.5),
    p90: quantile(histogram, 0.9),
    p99: quantile(histogram, 0.99),
  });
}

/** Milliseconds. Interpolates within the bucket of the quantile, as Prometheus does. */
function quantile({ bounds, counts, count }: HistogramSnapshot, q: number): number | null {
  if (count === 0) return null;
  const rank = q * count;
  const index = counts.findIndex((cumulative) => cumulative >= rank);
  if (index === -1) return (bounds.at(-1) as number) * 1_000;
  const lower = bounds[index - 1] ?? 0;
  const below = counts[index - 1] ?? 0;
  const share = (rank - below) / ((counts[index] as number) - below);
  return (lower + ((bounds[index] as number) - lower) * share) * 1_000;
}
