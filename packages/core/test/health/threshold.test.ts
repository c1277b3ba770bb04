import { expect, test } from "vitest";
import type { Health } from "../../src/events.ts";
import { Threshold } from "../../src/health/threshold.ts";

/** Feeds results, `+` or `-`, and writes the verdict after each: h, u or ?, in capitals when it has just changed. */
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
  ["failures have to add up at the start", "---", "??U"],
  ["failures in a row make it unhealthy", "+---", "HhhU"],
  ["a success in between starts the count anew", "+--+--+---", "HhhhhhhhhU"],
  ["successes in a row make it healthy again", "---++", "??UuH"],
  ["a failure in between starts the count anew", "---+-+-++", "??UuuuuuH"],
  ["a verdict from before is kept until it is overturned", "--+---", "hhhhhU", "healthy"],
  ["an unhealthy verdict from before needs more than one success", "+-++", "uuuH", "unhealthy"],
])("%s", (_name, results, verdicts, from) => {
  expect(trace(results, from)).toBe(verdicts);
});

test("thresholds of one follow every result", () => {
  expect(trace("-+-++", "unknown", 1, 1)).toBe("UHUHh");
});

test("it wavers without a verdict and while the last result speaks against it", () => {
  const threshold = new Threshold({ healthyThreshold: 2, unhealthyThreshold: 2 });
  const undecided = [threshold.undecided];
  for (const success of [true, false, true, false, false, true, true]) {
    threshold.record(success);
    undecided.push(threshold.undecided);
  }
  expect(undecided).toEqual([true, false, true, false, true, false, true, false]);
});
