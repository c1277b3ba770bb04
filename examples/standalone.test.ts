import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { expect, onTestFinished, test } from "vitest";

const folder = path.join(import.meta.dirname, "standalone");
const require = createRequire(import.meta.url);
const command = path.join(path.dirname(require.resolve("@evenkeel/cli")), "../bin/evenkeel.js");

function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  });
  return child;
}

/** Resolves with the first line that matches. */
async function lineOf(stream: Readable | null, pattern: RegExp): Promise<string> {
  for await (const line of createInterface({ input: stream as Readable })) {
    if (pattern.test(line)) return line;
  }
  throw new Error(`the process has ended without printing ${pattern}`);
}

async function startUpstream(): Promise<{ child: ChildProcess; port: string }> {
  const child = start(["upstream.js", "0"]);
  const line = await lineOf(child.stdout, /^listening on \d+$/);
  return { child, port: line.replace("listening on ", "") };
}

test("the standalone example balances three to one, and keeps serving when an upstream is killed", async () => {
  const [a, b] = await Promise.all([startUpstream(), startUpstream()]);
  const proxy = start([command, "run", "config.toml"], { PORT: "0", ADMIN_PORT: "0", A_PORT: a.port, B_PORT: b.port });
  proxy.stdout?.resume();
  const ready = JSON.parse(await lineOf(proxy.stderr, /"listen"/)) as { listen: string[]; admin: string };
  proxy.stderr?.resume();
  const [url = ""] = ready.listen;
  const get = async () => (await fetch(url)).text();

  const answers = await Promise.all(Array.from({ length: 40 }, get));
  expect(answers.filter((text) => text === `hello from ${a.port}\n`)).toHaveLength(30);
  expect(answers.filter((text) => text === `hello from ${b.port}\n`)).toHaveLength(10);

  a.child.kill("SIGKILL");
  await once(a.child, "exit");
  const survivors = await Promise.all(Array.from({ length: 20 }, get));
  expect(new Set(survivors)).toEqual(new Set([`hello from ${b.port}\n`]));

  const exited = once(proxy, "exit");
  proxy.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
});
