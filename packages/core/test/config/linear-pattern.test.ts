import { describe, expect, test } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import { LinearPattern } from "../../src/config/pattern/linear-pattern.ts";
import { seededRandom } from "../support/seeded-random.ts";

const matches = (source: string, text: string) => new LinearPattern(source).test(text);

describe("a pattern matches like a RegExp", () => {
  test.each<[string, string[]]>([
    [String.raw`"status":\s*"(?:ok|warn)"`, ['{"status": "ok"}', '{"status":"warn"}', '{"status":"down"}']],
    ["^a+b$", ["aab", "b", "xaab", "aab\n"]],
    [String.raw`\bok\b`, ["ok", "not ok!", "book", "ok_"]],
    [String.raw`\Bok`, ["book", "ok"]],
    ["a.c", ["abc", "a\nc", "a\u2028c", "aéc"]],
    ["[^a-c]", ["abc", "abcd", "é"]],
    ["[]", ["", "a"]],
    ["[^]", ["", "\n"]],
    [String.raw`[\]\\-]`, ["]", "\\", "-", "a"]],
    [String.raw`\x41\u0042\t\0\cJ`, ["AB\t\0\n", "AB"]],
    [String.raw`\c`, ["\\c", "c"]],
    ["a{2,3}b", ["ab", "aab", "aaab", "xaaaab"]],
    ["^a{2}$", ["a", "aa", "aaa"]],
    ["^a{2,}$", ["a", "aa", "aaaa"]],
    ["a{,3}{", ["a{,3}{", "aaa"]],
    ["}]", ["}]", "}"]],
    ["(a+)+$", ["aaa", "aab"]],
    ["^(?:a|ab)*c", ["aababc", "aabbc"]],
    ["(?<name>x)y", ["xy", "yx"]],
    ["a||b", [""]],
    ["(|a){3}b", ["b", "aab"]],
    ["^$", ["", "a"]],
    ["", ["", "a"]],
    ["é+", ["éé", "e"]],
    ["^.$", ["💡", "a"]],
  ])("%s", (source, texts) => {
    const native = new RegExp(source);
    for (const text of texts) expect(matches(source, text), JSON.stringify(text)).toBe(native.test(text));
  });

  test("for random patterns and texts", () => {
    const random = seededRandom(4);
    const pick = <T>(items: readonly T[]) => items[Math.floor(random() * items.length)] as T;
    const atoms = ["a", "b", "c", ".", "[ab]", "[^a]", "\\w", "\\s", "\\W", "^", "$", "\\b", "\\B", "\\n", "é"];
    const quantifiers = ["", "", "", "*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "+?", "??"];
    const make = (depth: number): string => {
      const terms = Array.from({ length: 1 + Math.floor(random() * 3) }, () => {
        const group = depth > 0 && random() < 0.4;
        const atom = group ? `(${pick(["", "?:"])}${make(depth - 1)})` : pick(atoms);
        return /^[\^$]|^\\[bB]/.test(atom) ? atom : atom + pick(quantifiers);
      });
      return terms.join("") + (random() < 0.2 ? `|${make(0)}` : "");
    };
    let matched = 0;
    for (let round = 0; round < 3_000; round++) {
      let source = make(2);
      while (source.length > 30) source = make(2);
      const native = new RegExp(source);
      const pattern = new LinearPattern(source);
      for (let count = 0; count < 5; count++) {
        const text = Array.from({ length: Math.floor(random() * 8) }, () => pick(["a", "b", "c", " ", "\n", "é"])).join(
          "",
        );
        const expected = native.test(text);
        if (expected) matched++;
        expect(pattern.test(text), `/${source}/ on ${JSON.stringify(text)}`).toBe(expected);
      }
    }
    expect(matched).toBeGreaterThan(3_000);
    expect(matched).toBeLessThan(14_000);
  });
});

describe("a pattern is rejected", () => {
  test.each([
    ["(?=a)", "lookaround"],
    ["(?!a)", "lookaround"],
    ["(?<=a)b", "lookaround"],
    ["(?<!a)b", "lookaround"],
    ["(a)\\1", "backreferences"],
    ["(?<n>a)\\k<n>", "backreferences"],
    ["a{300}", "too large"],
    ["((a{10}){10}){10}", "too large"],
    ["(?:){1000000000}", "too large"],
    ["(){0,1000000000}", "too large"],
    [`${"(".repeat(60)}${")".repeat(60)}`, "may not nest more than 50 groups"],
  ])("%s", (source, message) => {
    expect(() => new LinearPattern(source)).toThrow(message);
  });

  test.each(["(", "[", "a**", "(?<1>a)", "\\"])("with a syntax error: %s", (source) => {
    expect(() => new LinearPattern(source)).toThrow(SyntaxError);
  });
});

/**
 * The most CPU time that one of these may take. A RegExp needs seconds to years. CPU time, unlike wall time, does not grow
 * with the load of the machine.
 */
const maxCpuMs = 500;

test.each([
  [String.raw`\s*x`, " "],
  [String.raw`\s*\s*\s*x`, " "],
  ["a*a*a*a*b", "a"],
  ["(a+)+$", "a"],
  ["(a|a)*b", "a"],
  ["(.*)*x", "a"],
  ["(?:a?){48}a{48}b", "a"],
  [`(?:${"a*".repeat(49)})b`, "a"],
  [`${"[a-z]?".repeat(32)}9`, "q"],
])("/%s/ matches 64 KiB of %j in linear time", (source, char) => {
  const pattern = new LinearPattern(source);
  const text = `${char.repeat(limits.probeBodyBytes - 1)}!`;
  const start = process.cpuUsage();
  expect(pattern.test(text)).toBe(false);
  const { user, system } = process.cpuUsage(start);
  expect((user + system) / 1_000).toBeLessThan(maxCpuMs);
});
