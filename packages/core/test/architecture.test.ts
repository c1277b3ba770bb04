/**
 * Holds the source against ARCHITECTURE.md: the tables there say who may import whom, so that the document is the rule
 * and cannot drift from the code. Type-only imports count like any other; what a type mentions is known all the same.
 */

import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, test } from "vitest";

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

interface SourceFile {
  /** Relative to the package's src, with forward slashes. */
  readonly name: string;
  readonly lines: number;
  readonly imports: readonly Import[];
  /** What is imported from node:http. */
  readonly nodeHttp: readonly { readonly imported: string; readonly typeOnly: boolean }[];
  /** Names of Node's own that are not part of its public interface, once each. */
  readonly privateParts: readonly string[];
  /** Uses of the machine's own clock, timers and chance, as in `Date.now:12`. */
  readonly machine: readonly string[];
}

/** Of sockets, parsers, messages and servers, as of Node 20 to 26. Subclasses of streams implement `_read` and the like. */
const privateNames: ReadonlySet<string> = new Set([
  ...["_handle", "_httpMessage", "_sent100", "_events", "_header", "_headerSent", "_consumed", "_dump", "_parent"],
  ...["_server", "_readableState", "_writableState", "destroySoon", "parser", "kIncomingMessage", "connectionListener"],
  ...["assignSocket", "detachSocket", "shouldKeepAlive", "rawPacket"],
]);

const root = fileURLToPath(new URL("../../../", import.meta.url));
const document = readFileSync(path.join(root, "ARCHITECTURE.md"), "utf8");
const packages = new Map(readdirSync(path.join(root, "packages")).map((folder) => [folder, readPackage(folder)]));
const core = packages.get("core")?.files ?? [];

describe("the layers of the core", () => {
  const table = parseTable("Import table");
  const modules = [...table.keys()];

  test("the table lists exactly what is there", () => {
    expect(modules.toSorted()).toEqual([...new Set(core.map(({ name }) => moduleOf(name)))].sort());
  });

  test("the table allows only what stands above it, so that no layer can lead back to itself", () => {
    const upwards = modules.flatMap((module, row) =>
      allowed(table, module, 0)
        .filter((other) => !modules.slice(0, row).includes(other))
        .map((other) => `${module} -> ${other}`),
    );
    expect(upwards).toEqual([]);
  });

  test("every import within the core is in the table", () => {
    const broken = core.flatMap(({ name, imports }) =>
      imports
        .filter(({ specifier }) => specifier.startsWith("."))
        .map(({ specifier }) => moduleOf(resolve(name, specifier)))
        .filter((module) => module !== moduleOf(name) && !allowed(table, moduleOf(name), 0).includes(module))
        .map((module) => `${name} -> ${module}`),
    );
    expect(broken).toEqual([]);
  });

  test("every npm package is imported only where the table says", () => {
    const broken = core.flatMap((file) =>
      packagesOf([file])
        .filter((name) => !allowed(table, moduleOf(file.name), 1).includes(name))
        .map((name) => `${file.name} -> ${name}`),
    );
    expect(broken).toEqual([]);
  });

  test("http-proxy is behind one file, and undici in front of pools alone", () => {
    expect(importersOf("http-proxy")).toEqual(["forward/upgrade/tunnel.ts"]);
    expect(importersOf("undici").filter((name) => !/^outbound\//.test(name))).toEqual([]);
  });

  test("only client/node/ uses Node's HTTP server: others name its types in what apps call, at most", () => {
    const serverSide = /^(Server|ServerResponse|IncomingMessage|createServer|RequestListener)$/;
    const users = core
      .filter(({ name }) => !/^(client\/node|testing)\//.test(name))
      .map(({ name, nodeHttp }) => ({ name, used: nodeHttp.filter(({ imported }) => serverSide.test(imported)) }));
    const loading = users.filter(({ used }) => used.some(({ typeOnly }) => !typeOnly));
    expect(loading.map(({ name }) => name)).toEqual([]);
    const naming = users.filter(({ used }) => used.some(({ imported }) => imported !== "IncomingMessage"));
    expect(naming.map(({ name }) => name).sort()).toEqual(["announce-load.ts", "node-listeners.ts"]);
  });

  test("only client/node/ touches Node's private parts, but for the descriptor of a socket to an upstream", () => {
    const uses = core.flatMap(({ name, privateParts }) => privateParts.map((part) => `${name}: ${part}`));
    const elsewhere = uses.filter((use) => !use.startsWith("client/node/") && !use.startsWith("testing/"));
    expect(elsewhere.sort()).toEqual([
      "transport/http1/detect-reset.ts: _handle",
      "transport/http1/read-pending.ts: _handle",
    ]);
    expect(new Set(uses.map((use) => use.split(": ")[1])).size).toBeGreaterThan(4);
  });

  test("one file sets up TLS to upstreams, and server/ that of clients", () => {
    const importers = core.filter(({ imports }) =>
      imports.some(({ specifier, typeOnly }) => specifier === "node:tls" && !typeOnly),
    );
    expect(importers.map(({ name }) => name).sort()).toEqual([
      "server/opening/certificates.ts",
      "server/opening/tls-endpoint.ts",
      "transport/connector.ts",
    ]);
  });

  test("no file loads itself by a detour", () => {
    expect(findCycles(core)).toEqual([]);
  });

  test("time and chance come from the runtime alone", () => {
    const uses = core
      .filter(({ name }) => moduleOf(name) !== "runtime")
      .flatMap(({ name, machine }) => machine.map((use) => `${name}: ${use}`));
    expect(uses).toEqual([]);
  });
});

describe("the packages", () => {
  const table = parseTable("Packages");

  test("the table lists exactly what is there", () => {
    expect([...table.keys()].toSorted()).toEqual([...packages.values()].map(({ manifest }) => manifest.name).sort());
  });

  test.each([...packages.values()])("$manifest.name imports what it may and declares what it imports", (one) => {
    const { name, dependencies = {}, peerDependencies = {} } = one.manifest;
    const imported = packagesOf(one.files);
    expect(imported).toEqual(allowed(table, name, 0).toSorted());
    expect(Object.keys({ ...dependencies, ...peerDependencies }).sort()).toEqual(imported);
  });

  test("none reaches into another: packages are imported by their names alone", () => {
    const inner = [...packages].flatMap(([folder, { files }]) =>
      files.flatMap(({ name, imports }) =>
        imports
          .filter(({ specifier }) => isInner(specifier) || leavesSource(name, specifier))
          .map(({ specifier }) => `${folder}/src/${name} -> ${specifier}`),
      ),
    );
    expect(inner).toEqual([]);
  });

  /** See `isStale` in core's server/sockets/unix-path.ts for what happens otherwise. */
  test("file types are read as BigInts", () => {
    const calls = [...packages].flatMap(([folder, { files }]) =>
      files.flatMap(({ name }) => {
        const text = readFileSync(path.join(root, "packages", folder, "src", name), "utf8");
        return [...text.matchAll(/\b[fl]?statSync\(.*/g)].map(([call]) => `${folder}/src/${name}: ${call}`);
      }),
    );
    expect(calls.length).toBeGreaterThan(4);
    expect(calls.filter((call) => !/bigint: true|asBigInts/.test(call))).toEqual([]);
  });

  test("the Express middleware knows Express by its types only", () => {
    const imports = packages.get("express")?.files.flatMap((file) => file.imports) ?? [];
    const framework = imports.filter(({ specifier }) => packageOf(specifier) === "express");
    expect(framework.filter(({ typeOnly }) => !typeOnly)).toEqual([]);
  });
});

describe("every source file", () => {
  const files = [...packages].flatMap(([folder, { files }]) => files.map((file) => ({ folder, ...file })));
  const named = (list: typeof files) => list.map(({ folder, name }) => `${folder}/src/${name}`);

  test("is at most 300 lines long", () => {
    expect(named(files.filter(({ lines }) => lines > 300))).toEqual([]);
  });

  test("lies at most two folders deep", () => {
    expect(named(files.filter(({ name }) => name.split("/").length > 3))).toEqual([]);
  });

  test("lies in a folder of at most 15 files", () => {
    const sizes = new Map<string, number>();
    for (const { folder, name } of files) {
      const key = `${folder}/src/${path.posix.dirname(name)}`;
      sizes.set(key, (sizes.get(key) ?? 0) + 1);
    }

    expect([...sizes].filter(([, size]) => size > 15)).toEqual([]);
  });

  test("is named for what it is, not for being left over", () => {
    expect(
      named(files.filter(({ name }) => /(^|[/-])(utils?|helpers?|types|common|misc)(\.ts$|\/)/.test(name))),
    ).toEqual([]);
  });
});

/**
 * Reads the table under a heading: the code spans of each row's first cell -> those of its other cells. A cell that
 * says "everything above" stands for the rows before its own.
 */
function parseTable(heading: string): Map<string, string[][]> {
  const section = document.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("| `"));
  expect(rows.length, `rows under "${heading}"`).toBeGreaterThan(0);
  const table = new Map<string, string[][]>();
  for (const row of rows) {
    const [first = "", ...others] = row.split("|").slice(1, -1);
    const cells = others.map((cell) => (cell.includes("everything above") ? [...table.keys()] : codeSpans(cell)));
    table.set(codeSpans(first)[0] ?? "", cells);
  }
  return table;
}

/** The names in backticks; a folder's without its slash. */
function codeSpans(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+?)\/?`/g)].map((match) => match[1] ?? "");
}

function allowed(table: Map<string, string[][]>, row: string, column: number): string[] {
  return table.get(row)?.[column] ?? [];
}

/** The layer that a file belongs to: its folder, or itself when it lies directly in src. */
function moduleOf(name: string): string {
  return name.split("/")[0] ?? name;
}

function resolve(from: string, specifier: string): string {
  return path.posix.join(path.posix.dirname(from), specifier);
}

function leavesSource(from: string, specifier: string): boolean {
  return specifier.startsWith(".") && resolve(from, specifier).startsWith("..");
}

/** Whether an import names a path in one of the packages that the package does not export. */
function isInner(specifier: string): boolean {
  if (!/^(evenkeel|@evenkeel\/[^/]+)\//.test(specifier)) return false;
  const name = packageOf(specifier);
  const manifest = [...packages.values()].find((one) => one.manifest.name === name)?.manifest;
  return !Object.hasOwn(manifest?.exports ?? {}, specifier.replace(name ?? "", "."));
}

/** The npm package of an import, without the path within it; nothing for a file or a part of Node. */
function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith(".") || specifier.startsWith("node:")) return undefined;
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

function packagesOf(files: readonly SourceFile[]): string[] {
  const names = files.flatMap(({ imports }) => imports.map(({ specifier }) => packageOf(specifier)));
  return [...new Set(names)].filter((name) => name !== undefined).sort();
}

function importersOf(name: string): string[] {
  return core
    .filter(({ imports }) => imports.some(({ specifier }) => packageOf(specifier) === name))
    .map((file) => file.name);
}

/**
 * Walks depth first; a file met again while it is still on the way is a cycle, told as the way. Types do not count
 * here: two classes of one folder may know each other's, and nothing is loaded for it.
 */
function findCycles(files: readonly SourceFile[]): string[] {
  const imports = new Map(files.map((file) => [file.name, file.imports]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (name: string, way: readonly string[]): void => {
    if (way.includes(name)) cycles.push([...way.slice(way.indexOf(name)), name].join(" -> "));
    if (way.includes(name) || done.has(name)) return;
    for (const { specifier, typeOnly } of imports.get(name) ?? []) {
      if (specifier.startsWith(".") && !typeOnly) visit(resolve(name, specifier), [...way, name]);
    }
    done.add(name);
  };
  for (const { name } of files) visit(name, []);
  return cycles;
}

interface Manifest {
  readonly name: string;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

function readPackage(folder: string): { manifest: Manifest; files: SourceFile[] } {
  const manifest = JSON.parse(readFileSync(path.join(root, "packages", folder, "package.json"), "utf8")) as Manifest;
  const src = path.join(root, "packages", folder, "src");
  const names = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  return { manifest, files: names.map((name) => readSource(src, name.split(path.sep).join("/"))) };
}

function readSource(src: string, name: string): SourceFile {
  const text = readFileSync(path.join(src, name), "utf8");
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
  const imports: Import[] = [];
  const machine: string[] = [];
  const nodeHttp: SourceFile["nodeHttp"][number][] = [];
  const privateParts = new Set<string>();
  const visit = (node: ts.Node): void => {
    const found = importOf(node);
    if (found !== undefined) imports.push(found);
    nodeHttp.push(...importedFromNodeHttp(node));
    if (ts.isIdentifier(node) && privateNames.has(node.text)) privateParts.add(node.text);
    const use = machineUse(node);
    if (use !== undefined) machine.push(`${use}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}`);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { name, lines: text.split("\n").length - 1, imports, nodeHttp, privateParts: [...privateParts], machine };
}

/** Names imported from node:http; the module as a whole counts as a value named `*`. */
function importedFromNodeHttp(node: ts.Node): SourceFile["nodeHttp"][number][] {
  if (!ts.isImportDeclaration(node) || !ts.isStringLiteral(node.moduleSpecifier)) return [];
  if (node.moduleSpecifier.text !== "node:http" || node.importClause === undefined) return [];
  const typesAlone = node.importClause.phaseModifier === ts.SyntaxKind.TypeKeyword;
  const bindings = node.importClause.namedBindings;
  if (bindings === undefined || !ts.isNamedImports(bindings)) return [{ imported: "*", typeOnly: typesAlone }];
  return bindings.elements.map(({ propertyName, name, isTypeOnly }) => ({
    imported: (propertyName ?? name).text,
    typeOnly: typesAlone || isTypeOnly,
  }));
}

/** `import`, `export ... from`, `import()` and `import("...")` in a type. */
function importOf(node: ts.Node): Import | undefined {
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
    const typeOnly = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
    return { specifier: node.moduleSpecifier.text, typeOnly };
  }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)) {
    return { specifier: node.moduleSpecifier.text, typeOnly: node.isTypeOnly };
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)) {
    return { specifier: node.argument.literal.text, typeOnly: true };
  }
  if (ts.isCallExpression(node)) {
    const [argument] = node.arguments;
    const loads =
      node.expression.kind === ts.SyntaxKind.ImportKeyword || /(^|\.)require$/.test(node.expression.getText());
    if (loads && argument !== undefined && ts.isStringLiteral(argument)) {
      return { specifier: argument.text, typeOnly: false };
    }
  }
  return undefined;
}

/** A way past the injected clock and chance. `clock.setTimeout` and `socket.setTimeout` are none. */
function machineUse(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node)) {
    const name = node.getText();
    return /^(globalThis\.)?(Math\.random|Date\.now|performance\.now|process\.hrtime)$/.test(name) ? name : undefined;
  }
  if (ts.isNewExpression(node) && node.expression.getText() === "Date" && node.arguments?.length === 0)
    return "new Date";
  if (ts.isCallExpression(node)) {
    const name = node.expression.getText();
    return /^(globalThis\.)?(setTimeout|setInterval)$/.test(name) ? name : undefined;
  }
  return undefined;
}
