import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** The path of the command in few files, to be started with Node. */
    readonly bundledCommand: string;
  }
}

/** The part of rolldown in use. */
interface Bundler {
  rolldown(options: object): Promise<{ write(options: object): Promise<unknown>; close(): Promise<void> }>;
}

const root = path.join(import.meta.dirname, "../..");
const cli = path.join(root, "packages/cli");
/** In core's folder, so that what is required at run time is found: http-proxy. */
const folder = path.join(root, "packages/core/node_modules/.cache/command");

/**
 * Bundles the compiled command once for all tests that start it. To load its 700 files takes two thirds of a start, and
 * the tests start it about two hundred times. The tests of signals and of the examples start the files themselves.
 */
export default async function setup(project: TestProject): Promise<void> {
  const input = path.join(cli, "dist/main.js");
  if (!existsSync(input)) throw new Error("the command is not compiled: run `pnpm build`");
  const { rolldown } = (await import(pathToFileURL(bundler()).href)) as Bundler;
  // Of packages with both, the ES modules: the others load parts of themselves in ways that a bundler does not see.
  const bundle = await rolldown({ input, platform: "node", resolve: { mainFields: ["module", "main"] } });
  await bundle.write({ dir: path.join(folder, "dist"), format: "esm" });
  await bundle.close();
  mkdirSync(path.join(folder, "bin"), { recursive: true });
  copyFileSync(path.join(cli, "package.json"), path.join(folder, "package.json"));
  const bin = path.join(folder, "bin/evenkeel.js");
  copyFileSync(path.join(cli, "bin/evenkeel.js"), bin);
  project.provide("bundledCommand", bin);
}

/** The bundler that vitest brings: it is vite's. */
function bundler(): string {
  return ["vitest/package.json", "vite", "rolldown"].reduce(
    (from, name) => createRequire(from).resolve(name),
    import.meta.filename,
  );
}
