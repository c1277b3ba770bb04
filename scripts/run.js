// Runs the steps given on the command line in order and prints a headline before each. The first failure ends the run with
// the exit code of its step. Arguments after the last step are passed to that step: `npm test -- packages/core`.
//
// Plain JavaScript without dependencies, because it runs in a fresh clone before any package is installed.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";

if (Number.parseInt(process.versions.node, 10) < 20) {
  console.error(`Evenkeel needs Node 20.19 or newer; this is ${process.versions.node}.`);
  process.exit(1);
}

const root = path.dirname(import.meta.dirname);
const { packageManager } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));

/** `next` runs after the command of a step. The output of a quiet step is printed only if the step fails. */
const steps = {
  install: {
    title: "Installing dependencies",
    command: ["npx", "-y", packageManager, "install", "--frozen-lockfile", "--config.confirmModulesPurge=false"],
    quiet: true,
  },
  build: {
    title: "Compiling",
    command: ["tsc", "-b", "packages/cli", "packages/express", "packages/fastify", "packages/admin/dashboard"],
    next: [process.execPath, "scripts/copy-dashboard.js"],
  },
  demo: { title: "Starting the demo", command: [process.execPath, "packages/cli/bin/evenkeel.js", "demo"] },
  bench: { title: "Measuring", command: [process.execPath, "bench/run.js"] },
  lint: { title: "Format and lint (biome)", command: ["biome", "check", "--error-on-warnings", "."] },
  async: { title: "Promises and switches (eslint)", command: ["eslint", "--max-warnings", "0", "."] },
  types: { title: "Types of the tests (tsc)", command: ["tsc", "-b"] },
  test: { title: "Testing (vitest)", command: ["vitest", "run"] },
  packages: {
    title: "Packages as published (publint, attw)",
    command: [process.execPath, "scripts/check-packages.js"],
  },
  use: {
    title: "Packages in use (npm install of the tarballs, every Node)",
    command: [process.execPath, "scripts/use-packages.js"],
  },
  unused: { title: "Unused files, exports, dependencies (knip)", command: ["knip"] },
};

const words = process.argv.slice(2);
const named = words.findIndex((word) => !Object.hasOwn(steps, word));
const names = named === -1 ? words : words.slice(0, named);
const rest = words.slice(names.length);
if (names.length === 0) {
  console.error(`Usage: node scripts/run.js STEP... [ARGUMENT...]\nSteps: ${Object.keys(steps).join(", ")}`);
  process.exit(2);
}

/** Set by a signal: no step is started after the current one. */
let stopping = false;

for (const [index, name] of names.entries()) {
  const last = index === names.length - 1;
  const { title, command, next, quiet } = steps[name];
  console.log(`==> ${title}`);
  let code = await run(last ? [...command, ...rest] : command, quiet);
  if (code === 0 && next !== undefined && !stopping) code = await run(next, quiet);
  if (code !== 0 && !stopping) console.error(`==> Failed: ${title}`);
  if (code !== 0) process.exit(code);
  if (stopping && !last) process.exit(130);
}

/** Runs a command in the root folder, with the tools of the workspace in PATH. Resolves with its exit code. */
function run([file, ...args], quiet = false) {
  return new Promise((resolve) => {
    const bin = path.join(root, "node_modules", ".bin");
    const child = spawn(file, args, {
      cwd: root,
      env: { ...process.env, PATH: `${bin}${path.delimiter}${process.env.PATH ?? ""}` },
      stdio: quiet ? ["ignore", "pipe", "pipe"] : "inherit",
      // On Windows npx and the tools are .cmd files, which only a shell can start.
      shell: process.platform === "win32" && file !== process.execPath,
    });
    const output = [];
    child.stdout?.on("data", (chunk) => output.push(chunk));
    child.stderr?.on("data", (chunk) => output.push(chunk));

    const release = endWithParent(child);
    child.on("error", (error) => {
      release();
      const hint = error.code === "ENOENT" ? ". `npm test` installs the dependencies" : "";
      console.error(`Cannot run ${file}: ${error.message}${hint}`);
      resolve(1);
    });
    child.on("close", (code) => {
      release();
      if (code !== 0 && !stopping) process.stderr.write(Buffer.concat(output));
      resolve(code ?? 1);
    });
  });
}

/**
 * Ends a step when this process gets a signal, or when its parent process has exited: npm ends only its shell.
 *
 * A terminal sends the signal to the step too, and a second signal means "stop at once". So the signal is passed on after
 * one second only.
 */
function endWithParent(child) {
  const stop = (signal) => {
    stopping = true;
    clearInterval(watch);
    setTimeout(() => child.kill(signal), 1000).unref();
  };
  const parent = process.ppid;
  const watch = setInterval(() => process.ppid !== parent && stop("SIGTERM"), 500);
  watch.unref();
  process.on("SIGINT", stop).on("SIGTERM", stop);
  return () => {
    clearInterval(watch);
    process.off("SIGINT", stop).off("SIGTERM", stop);
  };
}
