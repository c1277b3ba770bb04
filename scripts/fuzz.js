// Throws generated traffic at the proxy until something is wrong, then says how to see it again: `pnpm fuzz --help`.
//
//   requests, responses   packages/core/test/security/fuzz: from clients and from upstreams, through the whole proxy
//   parser                packages/core/test/transport/fuzz: responses, read by our parser beside node:http's and undici's
//   frames                packages/core/test/http2: HTTP/2 frames, read by themselves and by connections to an upstream

import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import path from "node:path";
import { parseArgs } from "node:util";

const usage = `Usage: pnpm fuzz [requests|responses|parser|frames|all] [--runs N] [--seed S] [--path P] [--layer core|cli]

  requests    generated connections of clients, through the whole proxy
  responses   generated answers of upstreams, through the whole proxy
  parser      generated responses, read by our parser beside node:http's and undici's
  frames      generated HTTP/2 frames, from an upstream
  all         all four, one after another (the default)

  --runs N    inputs for each of them (1000000)
  --seed S    whole number that a run is repeated by (chosen by chance, and printed)
  --path P    of a failure: plays that one input alone; for requests and responses
  --layer L   core: the proxy's handlers in a plain server (the default); cli: the standalone server's listener`;

const targets = {
  requests: { core: "packages/core/test/security/fuzz.test.ts", cli: "packages/cli/test/fuzz.test.ts" },
  responses: { core: "packages/core/test/security/fuzz.test.ts", cli: "packages/cli/test/fuzz.test.ts" },
  parser: { core: "packages/core/test/transport/differential.test.ts" },
  frames: { core: "packages/core/test/http2/fuzz.test.ts" },
};

const { chosen, runs, seed, layer, place } = readArguments();
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
      ...(target === "parser" || target === "frames" ? [] : ["--testNamePattern", `generated ${target}`]),
    ],
    {
      cwd: root,
      stdio: "inherit",
      env: {
        ...process.env,
        ...{ FUZZ_RUNS: String(runs), FUZZ_SEED: String(seed) },
        ...(place !== undefined && { FUZZ_PATH: place }),
      },
    },
  );
  return new Promise((resolve) => {
    child.on("close", (code) => resolve(code ?? 1));
  });
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
  const { layer = "core", path: place } = values;
  const [target = "all", ...rest] = positionals;
  if (rest.length > 0 || (target !== "all" && !Object.hasOwn(targets, target))) fail("name one target");
  if (layer !== "core" && layer !== "cli") fail("--layer is core or cli");
  if (layer === "cli" && (target === "parser" || target === "frames")) fail(`${target} has no layers`);
  if (place !== undefined && !/^\d+(?::\d+)*$/.test(place)) fail("--path is what a failed run has printed");
  if (place !== undefined && ["all", "parser", "frames"].includes(target))
    fail("--path goes with requests or responses");
  return {
    chosen: target === "all" ? Object.keys(targets) : [target],
    runs: numberOf("--runs", values.runs ?? "1000000", /^[1-9]\d{0,8}$/),
    seed: numberOf("--seed", values.seed ?? String(randomInt(1, 1_000_000)), /^\d{1,10}$/),
    layer,
    place,
  };
}

function numberOf(name, text, shape) {
  if (!shape.test(text)) fail(`${name} is a whole number`);
  return Number(text);
}

function fail(reason) {
  console.error(`${reason}\n${usage}`);
  process.exit(2);
}
