/** Node programs that use this package, in processes of their own. */

import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface, type Interface } from "node:readline";
import { onTestFinished } from "vitest";

/** A folder until the end of the test. */
export function makeFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "evenkeel-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes a program with `createProxy` and what `evenkeel/server` exports. Returns its path. */
export function writeProgram(folder: string, body: string): string {
  const { typescript = false } = process.features as { readonly typescript?: string | false };
  const source = typescript
    ? { folder: new URL("../../src/", import.meta.url).href, extension: "ts" }
    : { folder: new URL("../../dist/", import.meta.url).href, extension: "js" };
  const file = path.join(folder, "program.mjs");
  writeFileSync(
    file,
    `import { createProxy, parseListenAddress } from "${source.folder}index.${source.extension}";
    import * as server from "${source.folder}server/index.${source.extension}";
    const { createServer } = server;
    ${body}`,
  );
  return file;
}

/** A process whose output is lines of JSON. */
export interface JsonProcess {
  readonly child: ChildProcess;
  /** The next line. Throws an error when the output has ended. */
  next(): Promise<Record<string, unknown>>;
}

/** Starts a process, which is killed at the end of the test. `stdio` are its descriptors from 3 on. */
export function startJsonProcess(command: string, args: readonly string[], stdio: StdioOptions = []): JsonProcess {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit", ...stdio] as StdioOptions });
  const lines: Interface = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const iterator = lines[Symbol.asyncIterator]();
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  });
  return {
    child,
    async next() {
      const { value, done } = await iterator.next();
      if (done === true) throw new Error("the process has ended");
      return JSON.parse(value) as Record<string, unknown>;
    },
  };
}
