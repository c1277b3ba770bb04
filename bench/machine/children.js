// Every process that is started, so that none is left behind: whatever ends this one, Ctrl-C included, ends them all.
// Those of Node end by themselves, too, once their channel to this process is gone.

import { spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pinned } from "./cpus.js";

const alive = new Set();
const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/** For configurations and logs; gone at the end. nginx, started as root, writes as somebody else. */
export const folder = mkdtempSync(path.join(tmpdir(), "evenkeel-bench-"));

/** Where all of them write what goes wrong. */
const errorFile = path.join(folder, "stderr");
const errors = openSync(errorFile, "a");

process.on("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});
for (const [signal, code] of Object.entries(codes)) process.on(signal, () => process.exit(code));

/** The last of what any of them has said on its standard error. */
export function lastWords() {
  return readFileSync(errorFile, "utf8").slice(-2_000);
}

/** Starts a command on the cores of `place`: "proxy" or "others". */
export function startCommand(place, command) {
  const [file, ...words] = pinned(place, command);
  return follow(spawn(file, words, { stdio: ["ignore", "ignore", errors] }));
}

/** Starts a script with a channel to it. Everybody runs as in production. */
export function startScript(place, script, words, nodeOptions = []) {
  const [file, ...rest] = pinned(place, [process.execPath, ...nodeOptions, script, ...words]);
  const env = { ...process.env, NODE_ENV: "production" };
  return follow(spawn(file, rest, { stdio: ["ignore", "ignore", errors, "ipc"], env }));
}

/** Ends one, and waits until it is gone. */
export function end(child, signal = "SIGKILL") {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", resolve);
    child.kill(signal);
  });
}

/** Sends a script a message, and resolves with its answer. */
export function ask(child, message) {
  const answer = nextMessage(child);
  child.send(message);
  return answer;
}

/** The next message of a script. Rejects when it ends instead, or takes too long. */
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
