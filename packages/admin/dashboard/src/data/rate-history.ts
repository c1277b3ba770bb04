/** The request rates of the last minute, for sparklines: those of the server at the start, then those of each overview. */

import type { History, Overview } from "@evenkeel/admin";

/** The number of points of a sparkline, one a second. */
export const points = 60;
/** The rates of an overview are those of the last ten seconds. */
const windowMs = 10_000;

export type Rates = readonly (number | null)[];

export class RateHistory {
  isFilled = false;
  #rates = new Map<string, (number | null)[]>();
  #lastSecond = 0;

  clear(): void {
    this.isFilled = false;
    this.#rates = new Map();
  }

  /** Oldest first, at most 60; the last one is that of now. */
  get(pool: string, upstream?: string): Rates {
    return this.#rates.get(keyOf(pool, upstream)) ?? [];
  }

  /** The rates of all pools together. */
  get total(): Rates {
    return this.#rates.get("") ?? [];
  }

  fill({ sampleMs, pools, upstreams }: History): void {
    this.clear();
    this.isFilled = true;
    const total: (number | null)[] = [];
    for (const [pool, { rate }] of Object.entries(pools)) {
      this.#rates.set(keyOf(pool), toPoints(rate, sampleMs));
      rate.forEach((value, index) => {
        if (value !== null) total[index] = (total[index] ?? 0) + value;
      });
    }
    this.#rates.set(
      "",
      toPoints(
        Array.from(total, (value) => value ?? null),
        sampleMs,
      ),
    );
    for (const [pool, members] of Object.entries(upstreams)) {
      for (const [id, rate] of Object.entries(members)) this.#rates.set(keyOf(pool, id), toPoints(rate, sampleMs));
    }
  }

  /** Seconds without an overview become gaps. What the overview does not have is forgotten. */
  add({ time, traffic, pools }: Overview): void {
    const second = Math.floor(time / 1_000);
    const elapsed = this.#lastSecond === 0 ? 1 : Math.min(Math.max(second - this.#lastSecond, 0), points);
    this.#lastSecond = second;
    const next = new Map<string, (number | null)[]>();
    const append = (key: string, rate: number | null) => {
      const rates = this.#rates.get(key) ?? [];
      for (let gap = 1; gap < elapsed; gap++) rates.push(elapsed > 3 ? null : rate);
      if (elapsed > 0) rates.push(rate);
      else rates[Math.max(rates.length - 1, 0)] = rate;
      if (rates.length > points) rates.splice(0, rates.length - points);
      next.set(key, rates);
    };
    append("", traffic.rate);
    for (const pool of pools) {
      append(keyOf(pool.name), pool.traffic.rate);
      for (const upstream of pool.upstreams) append(keyOf(pool.name, upstream.id), upstream.traffic.rate);
    }
    this.#rates = next;
  }
}

function keyOf(pool: string, upstream?: string): string {
  return upstream === undefined ? `${pool}` : `${pool}\n${upstream}`;
}

/** Converts samples to one point a second, each the mean of the ten seconds before it, as the rates of an overview are. */
function toPoints(samples: Rates, sampleMs: number): (number | null)[] {
  const width = Math.max(Math.round(windowMs / sampleMs), 1);
  const means = samples.map((sample, index) => {
    if (sample === null) return null;
    const window = samples.slice(Math.max(index - width + 1, 0), index + 1).filter((value) => value !== null);
    return window.reduce((sum, value) => sum + value, 0) / window.length;
  });
  const seconds = Math.min(points, Math.round((samples.length * sampleMs) / 1_000));
  return Array.from({ length: seconds }, (_, second) => {
    const index = samples.length - 1 - Math.floor(((seconds - 1 - second) * 1_000) / sampleMs);
    return means[index] ?? null;
  });
}
