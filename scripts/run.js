// Runs the steps named on the command line in order, a headline before each; the first that fails ends the run with
// its exit code. Words after the last step go to that step: `npm test -- packages/core`.
//
// Plain JavaScript without dependencies, because it runs in a fresh clone before anything is installed.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";

if (Number.parseInt(process.versions.node, 10) < 20) {
  console.error(`Evenkeel needs Node 20.19 or newer; this is ${process.versions.node}.`);
  process.exit(1);
}

const root = path.dirname(import.meta.dirname);
const { packageManager } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));

/** A quiet step shows its output only when it fails. */
const steps = {
  install: {
    title: "Installing dependencies",
    command: ["npx", "-y", packageManager, "install", "--frozen-lockfile", "--config.confirmModulesPurge=false"],
    quiet: true,
  },
  build: { title: "Compiling", command: ["tsc", "-b", "packages/cli", "packages/express", "packages/fastify"] },
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

/** Set by a signal: the step under way is the last. */
let stopping = false;

for (const [index, name] of names.entries()) {
  const last = index === names.length - 1;
  const { title, command, quiet } = steps[name];
  console.log(`==> ${title}`);
  const code = await run(last ? [...command, ...rest] : command, quiet);
  if (code !== 0 && !stopping) console.error(`==> Failed: ${title}`);
  if (code !== 0) process.exit(code);
  if (stopping && !last) process.exit(130);
}

/** Runs a command in the root with the workspace's tools on its path; resolves with its exit code. */
function run([file, ...args], quiet = false) {
  return new Promise((resolve) => {
    const bin = path.join(root, "node_modules", ".bin");
    const child = spawn(file, args, {
      cwd: root,
      env: { ...process.env, PATH: `${bin}${path.delimiter}${process.env.PATH ?? ""}` },
      stdio: quiet ? ["ignore", "pipe", "pipe"] : "inherit",
      // npx and the tools are .cmd files on Windows, which only a shell can start.
      shell: process.platform === "win32" && file !== process.execPath,
    });
    const output = [];
    child.stdout?.on("data", (chunk) => output.push(chunk));
    child.stderr?.on("data", (chunk) => output.push(chunk));

    const release = endWithUs(child);
    child.on("error", (error) => {
      release();
      const hint = error.code === "ENOENT" ? ". Is everything installed? `npm test` does it" : "";
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
 * Makes a step end when this process is told to, or when whoever started it has gone: npm ends its shell and no more.
 *
 * A terminal tells the step as well, and to be told twice means "at once", so the step gets a second before it hears
 * from us.
 */
function endWithUs(child) {
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
