import { expect, test } from "vitest";
import type { Health } from "../../src/events.ts";
import { Threshold } from "../../src/health/threshold.ts";

/** Records results, `+` or `-`, and returns the verdict after each: h, u or ?, in upper case if it has changed. */
function trace(results: string, from: Health = "unknown", rise = 2, fall = 3): string {
  const letters = { healthy: "h", unhealthy: "u", unknown: "?" };
  const threshold = new Threshold({ healthyThreshold: rise, unhealthyThreshold: fall }, from);
  return Array.from(results, (result) => {
    const changed = threshold.record(result === "+");
    const letter = letters[threshold.health];
    return changed ? letter.toUpperCase() : letter;
  }).join("");
}

test.each<[string, string, string, Health?]>([
  ["the first success is enough at the start", "+", "H"],
  ["the first success is enough even after failures", "--+", "??H"],
  ["the first failure is not enough at the start", "---", "??U"],
  ["consecutive failures make it unhealthy", "+---", "HhhU"],
  ["a success in between resets the count", "+--+--+---", "HhhhhhhhhU"],
  ["consecutive successes make it healthy again", "---++", "??UuH"],
  ["a failure in between resets the count", "---+-+-++", "??UuuuuuH"],
  ["an earlier verdict is kept until enough results are against it", "--+---", "hhhhhU", "healthy"],
  ["an earlier unhealthy verdict needs more than one success", "+-++", "uuuH", "unhealthy"],
])("%s", (_name, results, verdicts, from) => {
  expect(trace(results, from)).toBe(verdicts);
});

test("thresholds of one follow every result", () => {
  expect(trace("-+-++", "unknown", 1, 1)).toBe("UHUHh");
});

test("it is undecided without a verdict and while the last result is against it", () => {
  const threshold = new Threshold({ healthyThreshold: 2, unhealthyThreshold: 2 });
  const undecided = [threshold.undecided];
  for (const success of [true, false, true, false, false, true, true]) {
    threshold.record(success);
    undecided.push(threshold.undecided);
  }
  expect(undecided).toEqual([true, false, true, false, true, false, true, false]);
});
