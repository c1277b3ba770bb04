import { expect, test } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import { LinearPattern } from "../../src/config/pattern/linear-pattern.ts";
import { BodyMatch } from "../../src/health/body-match.ts";

/** Feeds pieces until it needs no more; tells how many it took and what it found. */
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

test("a substring is found at once, across the borders of pieces too", () => {
  expect(feed("ready", ["not yet, rea", "dy", "more", "more"])).toEqual({ taken: 2, matches: true });
  expect(feed("ready", ["r", "e", "a", "d", "y", "!"])).toEqual({ taken: 5, matches: true });
  expect(feed("ready", ["read", "ied"])).toEqual({ taken: 2, matches: false });
});

test("bytes outside ASCII match, even cut in two", () => {
  const [first, second] = [Buffer.from("é").subarray(0, 1), Buffer.from("é").subarray(1)];
  const match = new BodyMatch("é");
  expect(match.add(first)).toBe(false);
  expect(match.add(second)).toBe(true);
  expect(match.matches()).toBe(true);
});

test("nothing is looked at after 64 KiB", () => {
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

test("a pattern sees the whole of it", () => {
  expect(feed(new LinearPattern("^a+$"), ["aaa", "aab"])).toEqual({ taken: 2, matches: false });
  expect(feed(new LinearPattern("^a+b$"), ["aaa", "aab"])).toEqual({ taken: 2, matches: true });
  expect(feed(new LinearPattern(String.raw`"status":\s*"(?:ok|warn)"`), ['{"status":', ' "warn"}'])).toEqual({
    taken: 2,
    matches: true,
  });
});

test("an empty expectation holds for an empty body", () => {
  expect(feed("", []).matches).toBe(true);
  expect(feed(new LinearPattern("^$"), []).matches).toBe(true);
});

test("a pattern on which JavaScript's matcher would backtrack takes a moment", () => {
  const startedAt = performance.now();
  const pattern = new LinearPattern(String.raw`\s*\s*\s*x`);
  expect(feed(pattern, [" ".repeat(limits.probeBodyBytes)]).matches).toBe(false);
  expect(performance.now() - startedAt).toBeLessThan(100);
});
