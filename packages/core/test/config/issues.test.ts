import { describe, expect, it } from "vitest";
import { didYouMean, formatPath, OptionsError } from "../../src/config/issues.ts";

describe("didYouMean", () => {
  const keys = ["upstreams", "balance", "healthCheck", "retry"];

  it.each([
    ["upstream", "upstreams"],
    ["healthcheck", "healthCheck"],
    ["HEALTHCHECK", "healthCheck"],
    ["blance", "balance"],
    ["rtery", "retry"],
    ["rety", "retry"],
  ])("for %s suggests %s", (word, meant) => {
    expect(didYouMean(word, keys)).toBe(`, did you mean "${meant}"?`);
  });

  it("lists the allowed words when none is near", () => {
    expect(didYouMean("frobnicate", keys)).toBe("; allowed here: upstreams, balance, healthCheck, retry");
  });

  it("does not suggest another letter for a letter", () => {
    expect(didYouMean("x", ["a", "b"])).toBe("; allowed here: a, b");
  });

  it("does not compare a word that is too long for a typo", () => {
    expect(didYouMean("x".repeat(1_000_000), keys)).toBe("; allowed here: upstreams, balance, healthCheck, retry");
  });

  it("is empty when no word is allowed", () => {
    expect(didYouMean("x", [])).toBe("");
  });
});

describe("formatPath", () => {
  it.each([
    [[], "options"],
    [["pools", "api", "upstreams", 0, "url"], "pools.api.upstreams[0].url"],
    [["pools", "a-b"], "pools.a-b"],
    [["pools", "a.b"], 'pools["a.b"]'],
    [["routes", 1, "requestHeaders", "set", "a\nb"], 'routes[1].requestHeaders.set["a\\nb"]'],
    [[0], "[0]"],
    [[""], '[""]'],
  ])("formats %j as %s", (path, expected) => {
    expect(formatPath(path)).toBe(expected);
  });
});

describe("OptionsError", () => {
  it("lists every issue, one per line", () => {
    const error = new OptionsError([
      { path: ["a"], message: "expected b" },
      { path: [], message: "expected c" },
    ]);
    expect(error.code).toBe("invalid_options");
    expect(error.message).toBe("a: expected b\noptions: expected c");
  });
});
