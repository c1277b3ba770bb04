import type { Distribution } from "./report.ts";

/** Keeps all durations, so that quantiles are exact. */
export class Samples {
  readonly #values: number[] = [];

  add(ms: number): void {
    this.#values.push(ms);
  }

  distribution(): Distribution {
    const sorted = Float64Array.from(this.#values).sort();
    const count = sorted.length;
    if (count === 0) return { count, mean: null, p50: null, p90: null, p99: null, max: null };
    let sum = 0;
    for (const ms of sorted) sum += ms;
    const quantile = (q: number) => round(sorted[Math.max(0, Math.ceil(q * count) - 1)] as number);
    return {
      count,
      mean: round(sum / count),
      p50: quantile(0.5),
      p90: quantile(0.9),
      p99: quantile(0.99),
      max: quantile(1),
    };
  }

  /** Returns the distribution since the last call. */
  flush(): Distribution {
    const distribution = this.distribution();
    this.#values.length = 0;
    return distribution;
  }
}

/** Rounds milliseconds to microseconds, for readable reports. */
export function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
