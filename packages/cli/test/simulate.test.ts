import { readFileSync } from "node:fs";
import path from "node:path";
import { type SimulationReport, simulate } from "evenkeel";
import { expect, test } from "vitest";
import { runCli, writeFile } from "./support/cli.ts";

const document = readFileSync(path.join(import.meta.dirname, "../../../docs/simulate.md"), "utf8");

/** A code block of the documentation. */
function block(pattern: RegExp): string {
  const found = pattern.exec(document)?.[1];
  if (found === undefined) throw new Error(`docs/simulate.md has nothing like ${pattern}`);
  return found;
}

const config = block(/```toml\n# config\.toml\n(.*?)```/s);
const trace = block(/```toml\n# trace\.toml\n(.*?)```/s);
const onePool = '[pools.app]\nupstreams = [{ id = "a", url = "http://127.0.0.1:1" }]\n';

test("the example in the documentation prints the documented output", async () => {
  const result = await runCli(["simulate", writeFile("config.toml", config), writeFile("trace.toml", trace)]);
  expect(result).toEqual({ code: 0, stderr: "", stdout: block(/```text\n(.*?)```/s) });
});

test("the report is the same in every process, from TOML and from JSON", async () => {
  const asObject = { requests: { rate: 100, duration: "20s" }, script: [{ at: "5s", upstream: "a", slower: 10 }] };
  const file = writeFile("trace.json", JSON.stringify(asObject));
  const settings = ["--seed", "5", "--workers", "2", "--json"];
  const { stdout } = await runCli(["simulate", writeFile("config.toml", onePool), file, ...settings]);
  const upstreams = [{ id: "a", url: "http://127.0.0.1:1" }];
  const expected: SimulationReport = await simulate({ pools: { app: { upstreams } } }, asObject, {
    seed: 5,
    workers: 2,
  });
  expect(JSON.parse(stdout)).toEqual(expected);
});

test("a mistake in a trace is reported with its position and its line", async () => {
  const file = writeFile(
    "trace.toml",
    'requests = { rate = 10, duration = "5s" }\n\n[upstreams]\nb = { latency = "1s" }\n',
  );
  const { code, stderr } = await runCli(["simulate", writeFile("config.toml", onePool), file]);
  expect(code).toBe(2);
  expect(stderr).toContain(`${file}:4:1: upstreams.b: no pool has an upstream "b"`);
});

test.each([
  ["a trace that is not there", ["config", "none.toml"], 1],
  ["a trace that is no TOML", ["config", "broken"], 2],
  ["a seed that is none", ["config", "trace", "--seed", "many"], 1],
  ["no workers", ["config", "trace", "--workers", "0"], 1],
  ["no trace", ["config"], 1],
])("ends with a clear line: %s", async (_name, args, exitCode) => {
  const files: Record<string, string> = {
    config: writeFile("config.toml", onePool),
    trace: writeFile("trace.toml", trace),
    broken: writeFile("trace.toml", "requests = {"),
  };
  const { code, stdout, stderr } = await runCli(["simulate", ...args.map((arg) => files[arg] ?? arg)]);
  expect([code, stdout]).toEqual([exitCode, ""]);
  expect(stderr).not.toContain("    at ");
  expect(stderr).not.toBe("");
});
