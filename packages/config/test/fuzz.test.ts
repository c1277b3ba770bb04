import { readFileSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "evenkeel/testing";
import { describe, expect, it } from "vitest";
import { ConfigError, type ConfigFormat, parseConfig } from "../src/index.ts";

const file = join(import.meta.dirname, "cases", "everything.toml");
const toml = readFileSync(file, "utf8");
/** Enough to find a regression in a reasonable time. */
const rounds = 1_500;
const env = { TOKEN: "t0ken" };

/** Parses a text. Checks that an error is a `ConfigError` with valid positions. */
function parse(text: string, format: ConfigFormat): "fine" | ConfigError["kind"] {
  try {
    parseConfig(text, { file, env, format });
    return "fine";
  } catch (error) {
    if (!(error instanceof ConfigError)) throw new Error(`not a ConfigError for:\n${text}`, { cause: error });
    const lines = text.split("\n").length;
    expect(error.mistakes.length).toBeGreaterThan(0);
    for (const { line, column, message } of error.mistakes) {
      expect(line).toBeGreaterThan(0);
      expect(line).toBeLessThanOrEqual(lines);
      expect(column).toBeGreaterThan(0);
      expect(column).toBeLessThanOrEqual((text.replace(/^\ufeff/, "").split("\n")[line - 1]?.length ?? 0) + 1);
      expect(message).not.toBe("");
    }
    return error.kind;
  }
}

/** Text that a typo or an attacker puts into a file. */
const pieces = [
  ..."\"'[]{}=.,#\\\n\r\t\0\ufeff\u2028 0e-${",
  "[[",
  "]]",
  '"""',
  "'''",
  `\${X}`,
  `\${X:-y}`,
  "__proto__",
  "constructor.prototype",
  "[__proto__]\n",
  "[pools.__proto__]\n",
  "\\u0000",
  "\ud800",
  "1979-05-27",
  "inf",
  "99999999999999999999",
  "[".repeat(100),
  "a.".repeat(100),
  "pools = 1\n",
  "routes = []\n",
];

function mutate(text: string, random: () => number): string {
  let mutated = text;
  for (let count = 1 + Math.floor(random() * 4); count > 0; count--) {
    const from = Math.floor(random() * mutated.length);
    const to = Math.min(mutated.length, from + Math.floor(random() * 20));
    const other = Math.floor(random() * mutated.length);
    const piece = pieces[Math.floor(random() * pieces.length)] ?? "";
    mutated = [
      () => mutated.slice(0, from) + piece + mutated.slice(from),
      () => mutated.slice(0, from) + piece + mutated.slice(to),
      () => mutated.slice(0, from) + mutated.slice(to),
      () => mutated.slice(0, from) + mutated.slice(other, other + 40) + mutated.slice(from),
    ][Math.floor(random() * 4)]?.() as string;
  }
  return mutated;
}

describe.each<[ConfigFormat, string]>([
  ["toml", toml],
  ["json", JSON.stringify(parseConfig(toml, { file, env }).options, null, 2)],
])("a mutilated %s file", (format, text) => {
  it("cut off anywhere throws nothing but a ConfigError", () => {
    for (let length = 0; length < text.length; length += 3) parse(text.slice(0, length), format);
  });

  it("changed at random throws nothing but a ConfigError", () => {
    const random = seededRandom(20_240_607);
    const outcomes = new Set<string>();
    for (let round = 0; round < rounds; round++) outcomes.add(parse(mutate(text, random), format));
    expect(outcomes).toEqual(new Set(["fine", "invalid", "syntax"]));
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});
