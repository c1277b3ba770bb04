import { describe, expect, test } from "vitest";
import { toLatencyBounds } from "../../src/config/resolve.ts";
import { Histogram } from "../../src/pool/statistics/histogram.ts";

function histogramOf(...milliseconds: number[]): Histogram {
  const histogram = new Histogram(toLatencyBounds());
  for (const ms of milliseconds) histogram.record(ms);
  return histogram;
}

describe("counts", () => {
  test("are cumulative, and include the upper bound", () => {
    const { bounds, counts, count, sum } = histogramOf(0, 1, 1.1, 5, 61_000).snapshot();
    expect(bounds.slice(0, 4)).toEqual([0.001, 0.0025, 0.005, 0.01]);
    expect(bounds).toHaveLength(counts.length);
    expect(counts.slice(0, 4)).toEqual([2, 3, 4, 4]);
    expect(counts.at(-1)).toBe(4);
    expect(count).toBe(5);
    expect(sum).toBeCloseTo(61.0071, 6);
  });

  test("a snapshot does not change", () => {
    const histogram = histogramOf(1);
    const before = histogram.snapshot();
    histogram.record(1);
    expect(before.count).toBe(1);
    expect(before.counts[0]).toBe(1);
  });
});

describe("quantiles", () => {
  test("are null before the first record", () => {
    expect(histogramOf().quantiles()).toEqual({ p50: null, p90: null, p99: null });
  });

  test("are interpolated within their bucket", () => {
    const even = histogramOf(...Array.from({ length: 100 }, (_, index) => index + 1));
    const { p50, p90, p99 } = even.quantiles();
    expect(p50).toBeCloseTo(50, 0);
    expect(p90).toBeCloseTo(90, 0);
    expect(p99).toBeCloseTo(99, 0);
  });

  test("are at most the last bound", () => {
    expect(histogramOf(90_000, 120_000).quantiles()).toEqual({ p50: 60_000, p90: 60_000, p99: 60_000 });
  });
});

describe("other bounds", () => {
  test("keep what was counted, in the lowest bucket that is certain to hold it", () => {
    const histogram = new Histogram([0.1, 0.5, 1]);
    for (const ms of [50, 200, 700, 3_000]) histogram.record(ms);
    histogram.setBounds([0.05, 0.1, 0.8, 2]);
    expect(histogram.snapshot()).toEqual({ bounds: [0.05, 0.1, 0.8, 2], counts: [0, 1, 2, 3], count: 4, sum: 3.95 });
    histogram.record(20);
    histogram.setBounds([10]);
    expect(histogram.snapshot()).toEqual({ bounds: [10], counts: [4], count: 5, sum: 3.97 });
    expect(histogram.count).toBe(5);
  });
});
