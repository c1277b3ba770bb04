// Fuzzes the proxy with generated traffic until a check fails, then prints how to replay the failure: `pnpm fuzz --help`.
//
//   requests, responses   packages/core/test/security/fuzz: from clients and from upstreams, through the whole proxy
//   parser                packages/core/test/transport/fuzz: responses, compared between our parser, node:http and undici
//   server                packages/core/test/client/http1: requests, compared between our parser and node:http
//   nginx                 packages/core/test/client/http1: requests, compared between our parser and nginx, if it is installed
//   frames                packages/core/test/http2: HTTP/2 frames, read by the frame reader and by upstream connections

import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import path from "node:path";
import { parseArgs } from "node:util";

const usage = `Usage: pnpm fuzz [requests|responses|parser|server|nginx|frames|all] [--runs N] [--seed S]
                 [--path P] [--layer core|own|cli]

  requests    generated connections of clients, through the whole proxy
  responses   generated responses of upstreams, through the whole proxy
  parser      generated responses, compared between our parser, node:http and undici
  server      generated requests, compared between our parser and node:http
  nginx       generated requests, compared between our parser and nginx, if it is installed
  frames      generated HTTP/2 frames from an upstream
  all         all six, one after another (default)

  --runs N    number of inputs for each target (default: 1000000)
  --seed S    whole number; the same seed repeats a run (default: random, printed)
  --path P    path of a failure, as printed; runs that input only; for requests and responses
  --layer L   core: the proxy's handlers in a plain server (default); own: our own server;
              cli: the listener of the standalone server`;

const targets = {
  requests: {
    core: "packages/core/test/security/fuzz.test.ts",
    own: "packages/core/test/security/fuzz-own.test.ts",
    cli: "packages/cli/test/fuzz.test.ts",
  },
  responses: {
    core: "packages/core/test/security/fuzz.test.ts",
    own: "packages/core/test/security/fuzz-own.test.ts",
    cli: "packages/cli/test/fuzz.test.ts",
  },
  parser: { core: "packages/core/test/transport/differential.test.ts" },
  server: { core: "packages/core/test/client/http1/differential.test.ts" },
  nginx: { core: "packages/core/test/client/http1/nginx-differential.test.ts" },
  frames: { core: "packages/core/test/http2/fuzz.test.ts" },
};

const { chosen, runs, seed, layer, failurePath } = readArguments();
const root = path.dirname(import.meta.dirname);
for (const target of chosen) {
  const file = targets[target][layer];
  if (file === undefined) continue;
  console.log(`${target}: ${runs} inputs, seed ${seed}, layer ${layer}`);
  const code = await run(target, file);
  if (code !== 0) process.exit(code);
}

function run(target, file) {
  const child = spawn(
    process.execPath,
    [
      path.join(root, "node_modules", "vitest", "vitest.mjs"),
      ...["run", file, "--testTimeout=0", "--disable-console-intercept", "--reporter=dot"],
      ...(hasLayers(target) ? ["--testNamePattern", `generated ${target}`] : []),
    ],
    {
      cwd: root,
      stdio: "inherit",
      env: {
        ...process.env,
        ...{ FUZZ_RUNS: String(runs), FUZZ_SEED: String(seed) },
        ...(failurePath !== undefined && { FUZZ_PATH: failurePath }),
      },
    },
  );
  return new Promise((resolve) => {
    child.on("close", (code) => resolve(code ?? 1));
  });
}

function hasLayers(target) {
  return Object.keys(targets[target]).length > 1;
}

function readArguments() {
  const options = {
    runs: { type: "string" },
    seed: { type: "string" },
    path: { type: "string" },
    layer: { type: "string" },
  };
  let read;
  try {
    read = parseArgs({ options: { ...options, help: { type: "boolean", short: "h" } }, allowPositionals: true });
  } catch (error) {
    fail(error.message);
  }
  const { values, positionals } = read;
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  const { layer = "core", path: failurePath } = values;
  const [target = "all", ...rest] = positionals;
  if (rest.length > 0 || (target !== "all" && !Object.hasOwn(targets, target))) fail("expected one target");
  if (!Object.hasOwn(targets.requests, layer)) fail("--layer must be core, own or cli");
  if (layer !== "core" && target !== "all" && !hasLayers(target)) fail(`${target} has no layers`);
  if (failurePath !== undefined && !/^\d+(?::\d+)*$/.test(failurePath))
    fail("--path must be a path that a failed run has printed");
  if (failurePath !== undefined && ["all", "parser", "nginx", "frames"].includes(target))
    fail("--path needs the target requests or responses");
  return {
    chosen: target === "all" ? Object.keys(targets) : [target],
    runs: numberOf("--runs", values.runs ?? "1000000", /^[1-9]\d{0,8}$/),
    seed: numberOf("--seed", values.seed ?? String(randomInt(1, 1_000_000)), /^\d{1,10}$/),
    layer,
    failurePath,
  };
}

function numberOf(name, text, shape) {
  if (!shape.test(text)) fail(`${name} must be a whole number`);
  return Number(text);
}

function fail(reason) {
  console.error(`${reason}\n${usage}`);
  process.exit(2);
}
