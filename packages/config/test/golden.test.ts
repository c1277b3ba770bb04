import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ConfigError, parseConfig } from "../src/index.ts";

/**
 * Each case is a file of cases/ (`name.toml` or `name.json.txt`), with its resolved configuration (`name.json`) or the exact
 * text of its error (`name.error.txt`) beside it. UPDATE_CASES=1 writes these again: review the difference.
 */
const directory = join(import.meta.dirname, "cases");
const names = readdirSync(directory);
const input = /\.(?:toml|json\.txt)$/;
const output = /\.(?:json|error\.txt)$/;
const inputs = names.filter((name) => input.test(name));

const env = { TOKEN: "t0ken", HOST: "10.0.0.1", EMPTY: "", TRICKY: `\${HOST} $& \\` };

const pemFiles = ["certs/ca.pem", "certs/client.key"].map(
  (name) => [readFileSync(join(directory, name), "utf8").trim(), `<content of ${name}>`] as const,
);

describe("a configuration file", () => {
  it.each(inputs)("%s matches its golden file", (name) => {
    const { text, error } = load(name);
    const expected = join(directory, `${name.replace(input, "")}${error === undefined ? ".json" : ".error.txt"}`);
    if (process.env["UPDATE_CASES"] !== undefined) writeFileSync(expected, text);
    expect(text).toBe(readFileSync(expected, "utf8"));
  });

  it("has exactly one output for each input", () => {
    const stems = names.filter((name) => output.test(name)).map((name) => name.replace(output, ""));
    expect(stems.sort()).toEqual(inputs.map((name) => name.replace(input, "")).sort());
    expect(inputs.length).toBeGreaterThan(40);
  });

  it("reports at least twenty mistakes at once", () => {
    const { error } = load("many-mistakes.toml");
    expect(error?.kind).toBe("invalid");
    expect(error?.mistakes.length).toBeGreaterThan(20);
    expect(error?.mistakes.map(({ line }) => line)).toEqual(
      error?.mistakes.map(({ line }) => line).sort((a, b) => a - b),
    );
  });

  it("changes no prototype", () => {
    load("unknown-keys.toml");
    load("json-mistakes.json.txt");
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });
});

/** Loads a case and returns its result as text, without paths of this machine. */
function load(name: string): { readonly text: string; readonly error?: ConfigError } {
  const file = join(directory, name);
  try {
    const format = name.endsWith(".json.txt") ? "json" : "toml";
    const config = parseConfig(readFileSync(file, "utf8"), { file, env, format });
    return { text: `${show(config).replaceAll(directory, "<cases>")}\n` };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { text: `${error.message.replaceAll(directory, "<cases>")}\n`, error };
  }
}

/** Formats a configuration as the formatter writes JSON: arrays without tables on one line. */
function show(config: unknown): string {
  const json = JSON.stringify(config, (_, value) => shorten(value), 2);
  return json.replace(
    /\[\s+((?:"[^"]*"|[^[\]{}"])*?)\s+\]/g,
    (_, items: string) => `[${items.replace(/\n\s+/g, " ")}]`,
  );
}

function shorten(value: unknown): unknown {
  return pemFiles.find(([content]) => typeof value === "string" && value.trim() === content)?.[1] ?? value;
}
