import { expect, test } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import { LinearPattern } from "../../src/config/pattern/linear-pattern.ts";
import { BodyMatch } from "../../src/health/body-match.ts";

/** Adds chunks until no more is needed. Returns the number of chunks added and the result. */
function feed(expected: string | LinearPattern, pieces: readonly string[]): { taken: number; matches: boolean } {
  const match = new BodyMatch(expected);
  let taken = 0;
  for (const piece of pieces) {
    taken++;
    if (match.add(Buffer.from(piece))) break;
  }
  return { taken, matches: match.matches() };
}

const filler = (length: number) => "x".repeat(length);

test("a substring is found at once, also across chunks", () => {
  expect(feed("ready", ["not yet, rea", "dy", "more", "more"])).toEqual({ taken: 2, matches: true });
  expect(feed("ready", ["r", "e", "a", "d", "y", "!"])).toEqual({ taken: 5, matches: true });
  expect(feed("ready", ["read", "ied"])).toEqual({ taken: 2, matches: false });
});

test("a character outside of ASCII matches, also across chunks", () => {
  const [first, second] = [Buffer.from("é").subarray(0, 1), Buffer.from("é").subarray(1)];
  const match = new BodyMatch("é");
  expect(match.add(first)).toBe(false);
  expect(match.add(second)).toBe(true);
  expect(match.matches()).toBe(true);
});

test("nothing after 64 KiB is searched", () => {
  const limit = limits.probeBodyBytes;
  expect(feed("ok", [filler(limit - 2), "ok"])).toEqual({ taken: 2, matches: true });
  expect(feed("ok", [filler(limit - 1), "ok"])).toEqual({ taken: 2, matches: false });
  expect(feed("ok", [`${filler(limit)}ok`, "ok"])).toEqual({ taken: 1, matches: false });
  expect(feed(new LinearPattern("ok"), [filler(limit - 2), "ok", "more"])).toEqual({
    taken: 2,
    matches: true,
  });
  expect(feed(new LinearPattern("ok"), [filler(limit - 1), "ok", "more"])).toEqual({
    taken: 2,
    matches: false,
  });
});

test("a pattern is matched against all chunks together", () => {
  expect(feed(new LinearPattern("^a+$"), ["aaa", "aab"])).toEqual({ taken: 2, matches: false });
  expect(feed(new LinearPattern("^a+b$"), ["aaa", "aab"])).toEqual({ taken: 2, matches: true });
  expect(feed(new LinearPattern(String.raw`"status":\s*"(?:ok|warn)"`), ['{"status":', ' "warn"}'])).toEqual({
    taken: 2,
    matches: true,
  });
});

test("an empty substring and an empty pattern match an empty body", () => {
  expect(feed("", []).matches).toBe(true);
  expect(feed(new LinearPattern("^$"), []).matches).toBe(true);
});

test("a pattern on which a RegExp would backtrack matches in linear time", () => {
  const start = process.cpuUsage();
  const pattern = new LinearPattern(String.raw`\s*\s*\s*x`);
  expect(feed(pattern, [" ".repeat(limits.probeBodyBytes)]).matches).toBe(false);
  const { user, system } = process.cpuUsage(start);
  expect((user + system) / 1_000).toBeLessThan(100);
});
