// biome-ignore-all lint/suspicious/noTemplateCurlyInString: strings that hold `${NAME}` are the subject of these tests.
import { describe, expect, it } from "vitest";
import { expandVariables } from "../../src/interpolate/expand-variables.ts";

const env = { NAME: "value", EMPTY: "", _x1: "y", NESTED: "${NAME}", SPECIAL: "$& $1 $$ \\", MISSING: undefined };

function expand(text: string): { text: string; mistakes: string[] } {
  const mistakes: string[] = [];
  return { text: expandVariables(text, env, (mistake) => void mistakes.push(mistake)), mistakes };
}

describe("expandVariables", () => {
  it.each([
    ["", ""],
    ["plain", "plain"],
    ["${NAME}", "value"],
    ["a-${NAME}-${_x1}-b", "a-value-y-b"],
    ["${EMPTY}", ""],
    ["${EMPTY:-else}", "else"],
    ["${NAME:-else}", "value"],
    ["${OTHER:-else}", "else"],
    ["${MISSING:-else}", "else"],
    ["${OTHER:-}", ""],
    ["${OTHER:-a:-b c\n$d}", "a:-b c\n$d"],
    ["$${NAME}", "${NAME}"],
    ["$${", "${"],
    ["$$${NAME}", "$${NAME}"],
    ["${NAME}$${NAME}${NAME}", "value${NAME}value"],
    ["$NAME {NAME} $ $$ }", "$NAME {NAME} $ $$ }"],
    ["${NESTED}", "${NAME}"],
    ["${SPECIAL}", "$& $1 $$ \\"],
  ])("expands %j to %j", (text, expected) => {
    expect(expand(text)).toEqual({ text: expected, mistakes: [] });
  });

  it.each([
    "${}",
    "${",
    "a ${NAME",
    "${ NAME }",
    "${1A}",
    "${A-B}",
    "${NAME-else}",
    "${NAME:=else}",
    "${NAME:?else}",
    "${A:-${B}}",
    "${ä}",
  ])("reports a mistake in %j", (text) => {
    expect(expand(text).mistakes).toEqual([expect.stringContaining("${NAME:-default}")]);
  });

  it("names each variable that is not set", () => {
    const { mistakes } = expand("${A_1} ${NAME} ${MISSING} ${toString} ${__proto__}");
    expect(mistakes.map((mistake) => /variable (\S+) is not set/.exec(mistake)?.[1])).toEqual([
      "A_1",
      "MISSING",
      "toString",
      "__proto__",
    ]);
  });

  it("needs no more than linear time for a hostile text", () => {
    expect(expand("${".repeat(1_000_000)).mistakes).toHaveLength(1);
  });
});
