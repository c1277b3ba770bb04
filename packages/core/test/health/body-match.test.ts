import { expect, test } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import { BodyMatch } from "../../src/health/body-match.ts";

/** Feeds pieces until it needs no more; tells how many it took and what it found. */
function feed(expected: string | RegExp, pieces: readonly string[]): { taken: number; matches: boolean } {
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
  expect(feed(/ok/, [filler(limit - 2), "ok", "more"])).toEqual({ taken: 2, matches: true });
  expect(feed(/ok/, [filler(limit - 1), "ok", "more"])).toEqual({ taken: 2, matches: false });
});

test("a pattern sees the whole of it", () => {
  expect(feed(/^a+$/, ["aaa", "aab"])).toEqual({ taken: 2, matches: false });
  expect(feed(/^a+b$/, ["aaa", "aab"])).toEqual({ taken: 2, matches: true });
  expect(feed(/"status":\s*"(?:ok|warn)"/, ['{"status":', ' "warn"}'])).toEqual({ taken: 2, matches: true });
});

test("an empty expectation holds for an empty body", () => {
  expect(feed("", []).matches).toBe(true);
  expect(feed(/^$/, []).matches).toBe(true);
});

test("a pattern that backtracks without end on the upstream's bytes is broken off", () => {
  const startedAt = performance.now();
  expect(feed(/\s*\s*\s*x/, [" ".repeat(limits.probeBodyBytes)]).matches).toBe(false);
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});
