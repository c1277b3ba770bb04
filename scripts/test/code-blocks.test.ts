import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "smol-toml";
import ts from "typescript";
import { beforeAll, describe, expect, it, test } from "vitest";
import { ConfigError, parseConfig } from "../../packages/config/src/index.ts";
import { declarationsFor } from "./block-declarations.ts";

/** A fenced code block of a page of the docs. */
interface Block {
  readonly place: string;
  readonly language: string;
  readonly text: string;
}

const root = path.join(import.meta.dirname, "../..");
const pages = [
  "README.md",
  ...readdirSync(path.join(root, "packages")).map((name) => `packages/${name}/README.md`),
  ...readdirSync(path.join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];
const blocks = pages.flatMap(blocksOf);
const inLanguage = (...languages: readonly string[]): Block[] =>
  blocks.filter(({ language }) => languages.includes(language));

describe("a program", () => {
  let mistakes: ReadonlyMap<Block, readonly string[]>;
  beforeAll(() => {
    mistakes = compile(inLanguage("ts", "js"));
  });

  test.each(["ts", "js"])("'%s' compiles against the sources", (language) => {
    const programs = inLanguage(language);
    expect(programs.length).toBeGreaterThan(10);
    expect(programs.flatMap((block) => mistakes.get(block))).toEqual([]);
  });
});

describe("TOML", () => {
  it.each(inLanguage("toml"))("of $place is a valid configuration, or a valid part of one", ({ text }) => {
    expect(mistakesOf(text)).toEqual([]);
  });
});

test("JSON can be parsed", () => {
  for (const { text } of inLanguage("json")) expect(JSON.parse(text)).toBeDefined();
});

describe("shell", () => {
  const source = readFileSync(path.join(root, "packages/cli/src/main.ts"), "utf8");
  const commands = [...source.matchAll(/(?:command|adminCommand)\("(\w+)|^ {2}\["(\w+)", "/gm)].map(
    ([, a, b]) => a ?? b,
  );
  const scripts = Object.keys(
    (JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as { scripts: object }).scripts,
  );

  it.each(inLanguage("sh", ""))("of $place uses existing commands", ({ text }) => {
    for (const [, command = ""] of text.matchAll(/^(?:\$ )?(?:npx @evenkeel\/cli|evenkeel) ([a-z][\w-]*)(?= |$)/gm)) {
      expect(commands).toContain(command);
    }
    for (const [, script = ""] of text.matchAll(/^(?:\$ )?(?:npm run|pnpm) ([\w:]+)/gm)) {
      expect([...scripts, "install", "add", "vitest"]).toContain(script);
    }
  });
});

function blocksOf(file: string): Block[] {
  const text = readFileSync(path.join(root, file), "utf8");
  return [...text.matchAll(/^( *)```(\w*)\n(.*?)^ *```$/gms)].map(
    ({ index, 1: indent = "", 2: language = "", 3: body = "" }) => ({
      place: `${file}:${text.slice(0, index).split("\n").length}`,
      language,
      text: body.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
    }),
  );
}

/** The mistakes of each block, compiled as its own module in a folder where the packages of the examples resolve. */
function compile(programs: readonly Block[]): Map<Block, string[]> {
  const folder = path.join(root, "examples");
  const files = new Map(
    programs.map((block) => [
      path.join(folder, `${block.place.replace(/\W+/g, "-")}.ts`),
      { block, text: `${block.text}${declarationsFor(block.text, block.place)}` },
    ]),
  );
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts"],
    types: ["node"],
    noEmit: true,
    strict: true,
    skipLibCheck: true,
    moduleDetection: ts.ModuleDetectionKind.Force,
    allowImportingTsExtensions: true,
    customConditions: ["@evenkeel/source"],
    // Modules that examples/ does not install.
    paths: {
      "@evenkeel/admin": [path.join(root, "packages/admin/src/index.ts")],
      undici: [path.join(root, "packages/core/node_modules/undici/index.d.ts")],
      next: [path.join(root, "scripts/test/foreign/next.d.ts")],
    },
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.getCurrentDirectory = () => root;
  host.fileExists = (file) => files.has(file) || fileExists(file);
  host.readFile = (file) => files.get(file)?.text ?? readFile(file);
  host.getSourceFile = (file, languageVersion, ...rest) => {
    const own = files.get(file);
    if (own === undefined) return getSourceFile(file, languageVersion, ...rest);
    return ts.createSourceFile(file, own.text, languageVersion);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  return new Map(
    [...files].map(([file, { block }]) => [block, mistakesIn(program, program.getSourceFile(file), block)]),
  );
}

/** Errors that JavaScript, which has no type annotations, cannot avoid. Missing names are none of them. */
const onlyWithTypes: ReadonlySet<number> = new Set([
  2322, // Type '...' is not assignable to type '...'.
  7006, // Parameter '...' implicitly has an 'any' type.
  7016, // Could not find a declaration file for module '...'.
  7022, // '...' implicitly has type 'any': it is referenced in its own initializer.
  18046, // '...' is of type 'unknown'.
  18048, // '...' is possibly 'undefined'.
]);

function mistakesIn(program: ts.Program, source: ts.SourceFile | undefined, { place, language }: Block): string[] {
  const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
  const counted = found.filter(({ code }) => language === "ts" || !onlyWithTypes.has(code));
  return counted.map(({ messageText, start = 0 }) => {
    const line = source?.getLineAndCharacterOfPosition(start).line ?? 0;
    return `${place} +${line + 1}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
  });
}

/** The mistakes of a configuration. A part of one is completed with an upstream or a pool. */
function mistakesOf(text: string): string[] {
  // A trace, not a configuration.
  if (text.startsWith("# trace.toml\n")) return parse(text) === undefined ? ["nothing"] : [];
  const pool = /^(?:pool = |readyPools = \[)"(\w+)"/m.exec(text)?.[1] ?? "api";
  const completed = [text, `upstreams = ["http://a"]\n${text}`, `${text}\n[pools.${pool}]\n`];
  const found = completed.map(check);
  return found.some((mistakes) => mistakes.length === 0) ? [] : (found[0] ?? []);
}

function check(text: string): string[] {
  // Every environment variable that the text uses is set.
  const names = [...text.matchAll(/\$\{(\w+)/g)].map(([, name = ""]) => [name, "12345678"]);
  try {
    parseConfig(text, { file: "docs.toml", env: Object.fromEntries(names) as Record<string, string> });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // The docs name certificate files that do not exist here.
    return error.mistakes.map(({ message }) => message).filter((message) => !/no such file|ENOENT/.test(message));
  }
}
