import { expect, onTestFinished, test, vi } from "vitest";
import { limits } from "../src/limits.ts";
import { renderFamilies } from "../src/metrics/exposition.ts";
import { counter, gauge, histogram, sample } from "../src/metrics/metric-family.ts";
import { parseExposition } from "./support/exposition.ts";

test("has the escapes and the numbers of the format", async () => {
  const text = await renderFamilies([
    gauge("a", "One\\two\nthree.", [sample({ x: 'q"\\\n', n: 1 }, 0.5), sample({}, Infinity)]),
    counter("b_total", "None.", []),
    histogram("c", "Durations.", [[{ pool: "p" }, { bounds: [0.5], counts: [1], count: 2, sum: 3 }]]),
  ]);
  expect(text.toString()).toBe(
    [
      "# HELP a One\\\\two\\nthree.",
      "# TYPE a gauge",
      'a{x="q\\"\\\\\\n",n="1"} 0.5',
      "a +Inf",
      "# HELP b_total None.",
      "# TYPE b_total counter",
      "# HELP c Durations.",
      "# TYPE c histogram",
      'c_bucket{pool="p",le="0.5"} 1',
      'c_bucket{pool="p",le="+Inf"} 2',
      'c_sum{pool="p"} 3',
      'c_count{pool="p"} 2',
      "",
    ].join("\n"),
  );
});

test("leaves turns of the event loop to requests, and loses no sample", async () => {
  // Each sample takes a tenth of the time that one turn may take, and none is made before its turn.
  let now = 0;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
  onTestFinished(() => clock.mockRestore());
  let [turn, made, atMost] = [0, 0, 0];
  const count = () => {
    turn++;
    made = 0;
    immediate = setImmediate(count);
  };
  let immediate = setImmediate(count);
  onTestFinished(() => clearImmediate(immediate));
  function* samples() {
    for (let index = 0; index < 20_000; index++) {
      now += limits.renderMs / 10;
      atMost = Math.max(atMost, ++made);
      yield sample({ index }, index);
    }
  }
  const text = await renderFamilies([gauge("a", "All.", samples())]);
  expect(parseExposition(text.toString()).get("a")?.samples).toHaveLength(20_000);
  expect(turn).toBeGreaterThan(100);
  expect(atMost).toBeLessThanOrEqual(128);
});
