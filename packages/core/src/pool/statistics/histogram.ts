import type { HistogramSnapshot, Quantiles } from "../../snapshot.ts";

/** Upper bounds in seconds: the defaults of Prometheus, and two lower ones for responses in under 5 ms. */
const bounds: readonly number[] = Object.freeze([
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
]);

/** Counts durations in fixed buckets, without allocation. */
export class Histogram {
  readonly #buckets = new Array<number>(bounds.length + 1).fill(0);
  #sum = 0;

  record(ms: number): void {
    const seconds = ms / 1_000;
    let index = 0;
    while (index < bounds.length && seconds > (bounds[index] as number)) index++;
    (this.#buckets[index] as number)++;
    this.#sum += seconds;
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
    return Object.freeze({ bounds, counts: Object.freeze(cumulative.slice(0, -1)), count, sum });
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
