import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { Ajv } from "ajv";
import { parse } from "smol-toml";
import { describe, expect, it, test } from "vitest";
import { createConfigurationPage } from "../reference/configuration-page.ts";
import { createJsonSchema } from "../reference/json-schema.ts";

// `pnpm reference` updates the files.

const root = path.join(import.meta.dirname, "../..");
const schemaFile = path.join(root, "packages/config/schema.json");
const cases = path.join(root, "packages/config/test/cases");
const names = readdirSync(cases);
const good = names.filter((name) => name.endsWith(".toml") && names.includes(name.replace(".toml", ".json")));
/** Cases with mistakes that the JSON Schema detects. */
const bad = [
  "many-mistakes",
  "mixed-forms",
  "server-mistakes",
  "tables-of-wrong-kind",
  "typo-of-server",
  "typo-of-pools",
  "unknown-keys",
];

test("docs/configuration.md is up to date", async () => {
  await expect(createConfigurationPage()).toMatchFileSnapshot(path.join(root, "docs/configuration.md"));
});

describe("the JSON Schema", () => {
  const validate = new Ajv({ allErrors: true, strictTypes: false }).compile(createJsonSchema());
  const errorsOf = (name: string): unknown[] => {
    validate(parse(readFileSync(path.join(cases, name), "utf8")));
    return validate.errors ?? [];
  };

  it("is up to date", async () => {
    await expect(`${JSON.stringify(createJsonSchema(), null, 2)}\n`).toMatchFileSnapshot(schemaFile);
  });

  it.each(good)("accepts %s", (name) => {
    expect(errorsOf(name)).toEqual([]);
  });

  it.each(bad)("rejects %s", (name) => {
    expect(errorsOf(`${name}.toml`)).not.toEqual([]);
  });

  it("gives the same results in taplo", async () => {
    const toml = (stem: string): string => `${stem}.toml`;
    expect(new Set(await lint([...good, ...bad.map(toml)]))).toEqual(new Set(bad.map(toml)));
  });
});

/** Returns the cases in which taplo, the linter of TOML editors, finds a mistake. */
async function lint(files: readonly string[]): Promise<string[]> {
  const taplo = path.join(root, "node_modules/@taplo/cli/dist/cli.js");
  const args = ["lint", "--no-auto-config", "--colors", "never", "--schema", `file://${schemaFile}`];
  const paths = files.map((name) => path.join(cases, name));
  const output = await promisify(execFile)(process.execPath, [taplo, ...args, ...paths], {
    maxBuffer: 10_000_000,
  }).then(
    ({ stderr }) => stderr,
    (error: { stderr: string }) => error.stderr,
  );
  expect(output).toContain(`found files total=${files.length}`);
  return [...output.matchAll(/┌─ \S*?([\w-]+\.toml):/g)].map(([, name = ""]) => name);
}
