import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = (...args: string[]) =>
  promisify(execFile)(process.execPath, args, { cwd: path.join(import.meta.dirname, "testing") });

test("the tests of the testing example pass", async () => {
  expect((await run("--test", "--test-reporter=tap", "failover.test.js")).stdout).toMatch(/^# pass 1$/m);
});

test("the code in docs/testing.md works", async () => {
  const text = readFileSync(path.join(import.meta.dirname, "../docs/testing.md"), "utf8");
  const snippets = [...text.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code = ""]) => code);
  expect(snippets.length).toBeGreaterThan(3);
  for (const code of snippets) await run("--input-type=module", "--eval", code);
});
