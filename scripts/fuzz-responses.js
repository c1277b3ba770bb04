// Reads a great many responses, well formed and not, with our parser, node:http's and undici's, and compares:
// `pnpm fuzz [COUNT] [SEED]`. A run is repeated by its seed. The comparison is packages/core/test/wire/differential.test.ts.

import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import path from "node:path";

const [count = "100000", seed = String(randomInt(1, 1_000_000)), ...rest] = process.argv.slice(2);
if (![count, seed].every((word) => /^[1-9]\d{0,8}$/.test(word)) || rest.length > 0) {
  console.error("Usage: pnpm fuzz [COUNT] [SEED], both whole numbers from 1 on");
  process.exit(2);
}

const root = path.dirname(import.meta.dirname);
console.log(`${count} responses, seed ${seed}`);
const child = spawn(
  process.execPath,
  [
    path.join(root, "node_modules", "vitest", "vitest.mjs"),
    ...["run", "packages/core/test/wire/differential.test.ts", "--testTimeout=0", "--disable-console-intercept"],
  ],
  { cwd: root, stdio: "inherit", env: { ...process.env, FUZZ_COUNT: count, FUZZ_SEED: seed } },
);
child.on("close", (code) => process.exit(code ?? 1));
