import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Readable } from "node:stream";
import { inject, onTestFinished } from "vitest";

/** The command as it is published. */
export const publishedBin: string = path.join(import.meta.dirname, "../../bin/evenkeel.js");

/** A line of a JSON log. */
export type LogRecord = Readonly<Record<string, unknown>> & { readonly msg?: string };

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The compiled command in a process of its own. */
export interface Cli {
  readonly child: ChildProcess;
  readonly stdout: Lines;
  readonly stderr: Lines;
  readonly ended: Promise<Ending>;
  kill(signal: NodeJS.Signals): void;
}

/** A process that serves. */
export interface Serving extends Cli {
  /** The first listener. */
  readonly url: string;
  readonly port: number;
  readonly urls: readonly string[];
  readonly admin: string;
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** The limit of open files of the process, if the system has one. */
  readonly descriptors?: number;
  /** Options of Node itself. */
  readonly execArgv?: readonly string[];
  /** A program with its arguments that starts the command. */
  readonly wrapper?: readonly string[];
  /** The file that Node starts. Default: the command in few files, which starts in a third of the time. */
  readonly bin?: string;
}

/** Starts the command. It is killed at the end of the test if it still runs. */
export function startCli(
  args: readonly string[],
  { env = {}, cwd, descriptors, execArgv = [], wrapper = [], bin = inject("bundledCommand") }: CliOptions = {},
): Cli {
  // Node raises a soft limit to the hard one when it starts: this sets both.
  const limited = descriptors === undefined ? [] : ["sh", "-c", `ulimit -n ${descriptors} && exec "$0" "$@"`];
  const [command = "", ...rest] = [...limited, ...wrapper, process.execPath, ...execArgv, bin, ...args];
  const child = spawn(command, rest, {
    env: { ...process.env, NODE_OPTIONS: "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    ...(cwd !== undefined && { cwd }),
  });
  const ended = once(child, "close").then(([code, signal]) => ({ code, signal }) as Ending);
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const stdout = new Lines(child.stdout as Readable);
  const stderr = new Lines(child.stderr as Readable);
  return { child, stdout, stderr, ended, kill: (signal) => void child.kill(signal) };
}

/** Runs the command to its end. */
export async function runCli(
  args: readonly string[],
  options?: CliOptions,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const cli = startCli(args, options);
  const { code } = await cli.ended;
  return { code, stdout: cli.stdout.text, stderr: cli.stderr.text };
}

/** Serves a configuration and resolves when it is ready. */
export async function serve(toml: string, options?: CliOptions): Promise<Serving & { readonly config: string }> {
  const config = writeFile("config.toml", toml);
  return { ...(await whenReady(startCli(["run", config], options))), config };
}

/** Rejects with the output of the command if it ends. */
export async function whenReady(cli: Cli): Promise<Serving> {
  const ready = await cli.stderr.record(({ listen }) => listen !== undefined);
  const urls = ready["listen"] as string[];
  const [url = ""] = urls;
  const port = url.startsWith("unix:") ? 0 : Number(new URL(url).port);
  return { ...cli, url, port, urls, admin: String(ready["admin"]) };
}

/** Makes a folder that is removed after the test. */
export function makeFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "evenkeel-cli-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes a file into a new folder and returns its path. */
export function writeFile(name: string, text: string): string {
  const file = path.join(makeFolder(), name);
  writeFileSync(file, text);
  return file;
}

/** The output of a process, which tests can read and wait for. */
export class Lines {
  text = "";
  #over = false;
  readonly #checks = new Set<() => void>();

  constructor(stream: Readable) {
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => {
      this.text += chunk;
      this.#check();
    });
    stream.on("close", () => {
      this.#over = true;
      this.#check();
    });
  }

  /** The complete lines so far. */
  get lines(): readonly string[] {
    return this.text.split("\n").slice(0, -1);
  }

  /** The lines that are JSON. */
  get records(): readonly LogRecord[] {
    return this.lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as LogRecord);
  }

  /** Resolves with the first JSON line for which `test` returns true. */
  record(test: (record: LogRecord) => boolean): Promise<LogRecord> {
    return this.until(() => this.records.find(test));
  }

  /** Resolves with the first `count` JSON lines for which `test` returns true. */
  async manyRecords(count: number, test: (record: LogRecord) => boolean = () => true): Promise<readonly LogRecord[]> {
    return this.until(() => {
      const found = this.records.filter(test);
      return found.length >= count ? found : undefined;
    });
  }

  /** Resolves once `find` returns a value. Rejects if the stream ends before. */
  until<T>(find: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = find();
        if (found === undefined && !this.#over) return;
        this.#checks.delete(check);
        if (found === undefined) reject(new Error(`the process has ended after printing: ${this.text}`));
        else resolve(found);
      };
      this.#checks.add(check);
      check();
    });
  }

  #check(): void {
    for (const check of this.#checks) check();
  }
}
