import { describe, expect, it } from "vitest";
import { parseDuration, parseSize } from "../../src/config/duration.ts";

describe("parseDuration", () => {
  it.each([
    ["0ms", 0],
    ["250ms", 250],
    ["5s", 5_000],
    ["1.5m", 90_000],
    ["0.001s", 1],
    ["2h", 7_200_000],
    ["0.0004s", undefined],
    ["007s", 7_000],
    ["999999999999ms", 999_999_999_999],
  ])("parses %j as %s", (text, expected) => {
    expect(parseDuration(text)).toBe(expected);
  });

  it.each([
    "",
    "5",
    "s",
    "5 s",
    " 5s",
    "5s ",
    "5S",
    "-5s",
    "+5s",
    "1e3s",
    ".5s",
    "5.s",
    "5d",
    "5sec",
    "0x5s",
    "1_000ms",
    "5s\n",
    "Infinitys",
    "٥s",
    "9".repeat(13).concat("ms"),
    "5constructor",
    "5__proto__",
  ])("rejects %j", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});

describe("parseSize", () => {
  it.each([
    ["0b", 0],
    ["512b", 512],
    ["64kb", 65_536],
    ["64KB", 65_536],
    ["1.5mb", 1_572_864],
    ["2Gb", 2_147_483_648],
  ])("parses %j as %s", (text, expected) => {
    expect(parseSize(text)).toBe(expected);
  });

  it.each(["", "10", "10k", "10kib", "kb", "-1kb", "1 kb", "1tb", "5s"])("rejects %j", (text) => {
    expect(parseSize(text)).toBeUndefined();
  });
});
