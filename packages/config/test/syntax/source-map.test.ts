import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "evenkeel/testing";
import { describe, expect, it } from "vitest";
import { parseJson } from "../../src/syntax/parse-json.ts";
import { parseToml } from "../../src/syntax/parse-toml.ts";
import { findOffset, type SourceNode } from "../../src/syntax/source-map.ts";

/** The first characters of the text at a path. */
function at(text: string, sourceMap: SourceNode, path: (string | number)[], what: "key" | "value", length = 3): string {
  return text.slice(findOffset(sourceMap, path, what)).slice(0, length);
}

/** Every path of the data has a node, whose offsets point at its key and its value in the text. */
function expectOffsets(text: string, data: unknown, node: SourceNode | undefined, path: string): void {
  expect(node, path).toBeDefined();
  if (node === undefined) return;
  if (typeof data === "string") expect(text[node.value], path).toMatch(/["']/);
  if (typeof data === "boolean") expect(text.startsWith(String(data), node.value), path).toBe(true);
  if (typeof data === "number") expect(text.slice(node.value), path).toMatch(/^[-+\di.n]/);
  if (typeof data !== "object" || data === null || data instanceof Date) return;
  expect(node.children.size, path).toBe(Object.keys(data).length);
  for (const [key, item] of Object.entries(data)) {
    expectOffsets(text, item, node.children.get(Array.isArray(data) ? Number(key) : key), `${path}/${key}`);
  }
}

describe("the source map of TOML", () => {
  it("has an offset for every way to write a key", () => {
    const text = [
      "a = 1",
      " \"b c\" . d.'e' = true",
      '"q\\u0041\\"]" = 2 # ] " = x',
      "[ t . u ]",
      'x = { y.z = [ 1, [ \'two\', """three""" ], ], w = {} }',
      "[[list]]",
      "k = 1",
      "[list.sub]",
      "k = 2",
      "[[list.inner]]",
      "k = 3",
      "[[list]]",
      "k = 4",
      "[t]",
      "v = 1979-05-27 07:32:00",
      "w = 5",
      "",
    ].join("\r\n");
    const { sourceMap, data } = parseToml(text);
    expect(at(text, sourceMap, ["a"], "key")).toBe("a =");
    expect(at(text, sourceMap, ["a"], "value", 1)).toBe("1");
    expect(at(text, sourceMap, ["b c"], "key", 5)).toBe('"b c"');
    expect(at(text, sourceMap, ["b c", "d", "e"], "key")).toBe("'e'");
    expect(at(text, sourceMap, ["b c", "d", "e"], "value", 4)).toBe("true");
    expect(at(text, sourceMap, ['qA"]'], "value", 1)).toBe("2");
    expect(at(text, sourceMap, ["t", "u"], "key", 1)).toBe("u");
    expect(at(text, sourceMap, ["t", "u", "x"], "value")).toBe("{ y");
    expect(at(text, sourceMap, ["t", "u", "x", "y", "z", 1, 0], "value", 5)).toBe("'two'");
    expect(at(text, sourceMap, ["t", "u", "x", "y", "z", 1, 1], "value", 4)).toBe('"""t');
    expect(at(text, sourceMap, ["t", "u", "x", "w"], "value")).toBe("{} ");
    expect(at(text, sourceMap, ["list", 0, "k"], "value", 1)).toBe("1");
    expect(at(text, sourceMap, ["list", 0, "sub", "k"], "value", 1)).toBe("2");
    expect(at(text, sourceMap, ["list", 0, "inner", 0, "k"], "value", 1)).toBe("3");
    expect(at(text, sourceMap, ["list", 1, "k"], "value", 1)).toBe("4");
    expect(at(text, sourceMap, ["t"], "key", 2)).toBe("t]");
    expect(at(text, sourceMap, ["t", "v"], "value", 19)).toBe("1979-05-27 07:32:00");
    expect(at(text, sourceMap, ["t", "w"], "value", 1)).toBe("5");
    expectOffsets(text, data, sourceMap, "");
  });

  it.each([
    ["ends with two quotes", 'a = """x"""""\nb = 1', 'x""'],
    ["ends with one quote", 'a = """x""""\nb = 1', 'x"'],
    ["has an escaped quote before its end", 'a = """x\\""""\nb = 1', 'x"'],
    ["has escaped backslashes before its end", 'a = "x\\\\"\nb = 1', "x\\"],
    ["has escaped quotes", 'a = "\\"\\\\\\""\nb = 1', '"\\"'],
    ["is empty", 'a = ""\nb = 1', ""],
    ["is empty and long", 'a = """"""\nb = 1', ""],
    ["is literal and ends with quotes", "a = '''x'''''\nb = 1", "x''"],
    ["is literal with a backslash at its end", "a = 'x\\'\nb = 1", "x\\"],
    ["has comments and brackets in it", 'a = "# ] } = ["\nb = 1', "# ] } = ["],
    ["goes on after a line break", 'a = """\\\n  x = 5\n"""\nb = 1', "x = 5\n"],
  ])("is right after a string that %s", (_, text, value) => {
    const { data, sourceMap } = parseToml(text);
    expect(data).toMatchObject({ a: value, b: 1 });
    expect(at(text, sourceMap, ["b"], "key", 5)).toBe("b = 1");
  });

  it("gives a missing key the offset of the nearest table around it", () => {
    const text = "top = 1\n[pools.a]\nx = { y = 1 }";
    const { sourceMap } = parseToml(text);
    expect(at(text, sourceMap, ["pools", "a", "nope", "deeper"], "value", 1)).toBe("a");
    expect(at(text, sourceMap, ["pools", "a", "x", "nope"], "value", 1)).toBe("x");
    expect(findOffset(sourceMap, ["nope"], "value")).toBe(0);
    expect(findOffset(sourceMap, ["constructor"], "key")).toBe(0);
  });

  it("gives a table the offset of its own header, even if another header implies it first", () => {
    const text = "[a.b]\n[a]\nc = 1";
    expect(findOffset(parseToml(text).sourceMap, ["a"], "value")).toBe(7);
  });

  it("is complete for random documents", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const text = randomToml(seededRandom(seed));
      const { data, sourceMap } = parseToml(text);
      expectOffsets(text, data, sourceMap, `seed ${seed}`);
    }
  });

  it("is complete for the golden files", () => {
    const directory = join(import.meta.dirname, "../cases");
    for (const name of readdirSync(directory).filter((file) => /^(?!syntax).*\.toml$/.test(file))) {
      const text = readFileSync(join(directory, name), "utf8");
      const { data, sourceMap } = parseToml(text);
      expectOffsets(text, data, sourceMap, name);
    }
  });
});

describe("the source map of JSON", () => {
  it("has the offsets of keys and values", () => {
    const text = '{ "a": [1, { "b\\n": "x" }, []], "": { "__proto__": null }, "c": true }';
    const { data, sourceMap } = parseJson(text);
    expect(at(text, sourceMap, ["a"], "key")).toBe('"a"');
    expect(at(text, sourceMap, ["a", 1], "value", 1)).toBe("{");
    expect(at(text, sourceMap, ["a", 1, "b\n"], "key", 5)).toBe('"b\\n"');
    expect(at(text, sourceMap, ["a", 1, "b\n"], "value")).toBe('"x"');
    expect(at(text, sourceMap, ["", "__proto__"], "value", 4)).toBe("null");
    expectOffsets(text, data, sourceMap, "");
  });
});

/** A document with headers, dotted keys, inline tables and strings of all kinds. Every key is unique. */
function randomToml(random: () => number): string {
  let keys = 0;
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const times = (most: number) => Array.from({ length: Math.floor(random() * (most + 1)) });
  const key = () => pick([(n: number) => `k${n}`, (n: number) => `"k ${n}"`, (n: number) => `'k.${n}'`])(keys++);
  const dotted = () => [key(), ...times(2).map(key)].join(pick([".", " . "]));
  const string = () =>
    pick([
      '"x"',
      '""',
      "''",
      '"\\"]} # \\\\"',
      '"""a\n"b""""',
      "'''a\n'b'''",
      '"""\\\n  "" c"""',
      "'#'",
      '"\\u00e9"',
      '"\\\\"',
    ]);
  const scalar = () => pick([string, string, () => "true", () => "-1.5e3", () => "0x1F", () => "1_000", () => "inf"])();
  const space = () => pick(["", " ", "\n", " # x ]\n", "\r\n\t"]);
  function value(depth: number): string {
    if (depth > 3 || random() < 0.6) return scalar();
    if (random() < 0.5)
      return `[${space()}${times(4)
        .map(() => `${value(depth + 1)}${space()},${space()}`)
        .join("")}]`;
    return `{ ${times(3)
      .map(() => `${dotted()} = ${value(depth + 1)}`)
      .join(" , ")} }`;
  }
  const pairs = () => times(4).map(() => `${dotted()} = ${value(0)}${pick(["", " # = [x]", "\t"])}`);
  const list = key();
  const sections = times(6).flatMap(() => [
    pick([() => `[${dotted()}]`, () => `[[ ${list} ]] # y`, () => `[[${dotted()}]]`])(),
    ...pairs(),
  ]);
  return [...pairs(), "# comment [", ...sections].join(pick(["\n", "\r\n", "\n\n"]));
}
