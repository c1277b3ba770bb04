// Tracks all started processes, so that none is left behind: when this process ends, also by Ctrl-C, all of them end. Node
// processes also end by themselves once their channel to this process is closed.

import { spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pinned } from "./cpus.js";

const alive = new Set();
const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/** For configurations and logs; removed at the end. nginx, if started as root, writes as another user. */
export const folder = mkdtempSync(path.join(tmpdir(), "evenkeel-bench-"));

/** The file for the standard error of all of them. */
const errorFile = path.join(folder, "stderr");
const errors = openSync(errorFile, "a");

process.on("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});
for (const [signal, code] of Object.entries(codes)) process.on(signal, () => process.exit(code));

/** The end of their standard error. */
export function lastWords() {
  return readFileSync(errorFile, "utf8").slice(-2_000);
}

/** Starts a command on the cores of `place`: "proxy" or "others". */
export function startCommand(place, command) {
  const [file, ...words] = pinned(place, command);
  return follow(spawn(file, words, { stdio: ["ignore", "ignore", errors] }));
}

/** Starts a script with a channel to it, in production mode. */
export function startScript(place, script, words, nodeOptions = []) {
  const [file, ...rest] = pinned(place, [process.execPath, ...nodeOptions, script, ...words]);
  const env = { ...process.env, NODE_ENV: "production" };
  return follow(spawn(file, rest, { stdio: ["ignore", "ignore", errors, "ipc"], env }));
}

/** Ends a process, and waits for its exit. */
export function end(child, signal = "SIGKILL") {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", resolve);
    child.kill(signal);
  });
}

/** Sends a message to a script, and resolves with its reply. */
export function ask(child, message) {
  const answer = nextMessage(child);
  child.send(message);
  return answer;
}

/** Resolves with the next message of a script. Rejects if it exits or takes too long. */
export function nextMessage(child, withinMs = 30_000) {
  return new Promise((resolve, reject) => {
    const settle = (settled, value) => {
      clearTimeout(timer);
      child.off("message", onMessage).off("exit", onExit);
      settled(value);
    };
    const onMessage = (message) => settle(resolve, message);
    const onExit = (code) => settle(reject, new Error(`${child.spawnargs.join(" ")} ended with ${code}`));
    const timer = setTimeout(() => settle(reject, new Error(`no word from ${child.spawnargs.join(" ")}`)), withinMs);
    child.on("message", onMessage).on("exit", onExit);
  });
}

function follow(child) {
  alive.add(child);
  child.on("exit", () => alive.delete(child));
  return child;
}
