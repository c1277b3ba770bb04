import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { defineConfig } from "vitest/config";
import LongestFirst from "./scripts/test-run/longest-first.ts";

// The packages export their TypeScript source under this condition, so that tests need no build and show real lines.
const conditions = ["@evenkeel/source"];

const everything = ["{packages/*,scripts,bench}/test/**/*.test.{ts,js}", "examples/**/*.test.ts"];
/** Files that weigh memory: in a process with the leftovers of other files they would weigh those, and slowly. */
const memory = readdirSync("packages")
  .flatMap((name) => filesBelow(`packages/${name}/test`))
  .filter((file) => readFileSync(file, "utf8").includes("support/memory.ts"));
/** Folders whose tests start processes, most of them the compiled command. */
const command = [
  "packages/cli/test/*.test.ts",
  "packages/cli/test/{dashboard,log,primary,restart,server,workers}/**/*.test.ts",
  "examples/**/*.test.ts",
];
/** Folders whose tests open no socket; no-sockets.ts makes one that does fail. */
const pure = [
  "packages/core/test/{attempts,balancer,config,docs,explain,forward,group-limits,observe,pool,simulate,simulation}/**/*.test.ts",
  "packages/cli/test/overview/**/*.test.ts",
  "scripts/test/**/*.test.ts",
];

/** A test file belongs to the first project that includes it; what no other project includes, to `sockets`. */
const projects = [
  { name: "sockets", include: everything, exclude: ["**/node_modules/**", ...memory, ...command, ...pure] },
  { name: "memory", include: memory, isolate: true, execArgv: [] },
  { name: "command", include: command, globalSetup: ["./scripts/test-run/bundle-command.ts"] },
  { name: "pure", include: pure, exclude: memory, setupFiles: ["./scripts/test-run/no-sockets.ts"] },
];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    projects: projects.map((test) => ({ extends: true, test })),
    reporters: ["default", "./scripts/test-run/totals-reporter.ts"],
    // Files share their worker's modules: a process and a fresh import for each cost more than most files' tests. So what
    // one test puts in the place of something real is taken back after it.
    isolate: false,
    // Their workers live long: fewer and larger steps of the garbage collector.
    execArgv: ["--max-semi-space-size=64"],
    restoreMocks: true,
    unstubEnvs: true,
    maxWorkers: "100%",
    sequence: { sequencer: LongestFirst },
    // A limit for what hangs, not a wait: nothing in the tests sleeps.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});

function filesBelow(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return entries
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => `${folder}/${name.replaceAll(path.sep, "/")}`);
}
