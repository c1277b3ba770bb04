// Runs the command that npm has linked: it prints its version, creates and checks a configuration, serves requests, and stops
// on a signal.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { checkFailover, checkTunnel, startBackend } from "./lab.mjs";
import manifests from "./manifests.json" with { type: "json" };

const command = realpathSync(path.join(import.meta.dirname, "node_modules", ".bin", "evenkeel"));
const folder = mkdtempSync(path.join(tmpdir(), "evenkeel-command-"));
try {
  const { version } = manifests.find(({ name }) => name === "@evenkeel/cli");
  assert.deepEqual(await run("--version"), { code: 0, stdout: `${version}\n`, stderr: "" });
  assert.equal((await run("init")).code, 0);
  const checked = await run("check");
  assert.deepEqual({ code: checked.code, stderr: checked.stderr }, { code: 0, stderr: "" });
  await serve();
} finally {
  rmSync(folder, { recursive: true });
}

async function serve() {
  const backends = { a: await startBackend("a"), b: await startBackend("b") };
  const upstreams = JSON.stringify([backends.a.url, backends.b.url]);
  const toml = `[server]\nlisten = "127.0.0.1:0"\n[pools.app]\nbalance = "round-robin"\nupstreams = ${upstreams}\n`;
  writeFileSync(path.join(folder, "proxy.toml"), toml);

  const child = start("run", "proxy.toml");
  child.stdout.resume();
  const log = [];
  for await (const line of createInterface({ input: child.stderr })) {
    log.push(JSON.parse(line));
    const { listen } = log.at(-1);
    if (listen === undefined) continue;
    await checkTunnel(listen[0]);
    await checkFailover(listen[0], backends);
    child.kill("SIGTERM");
  }
  if (child.exitCode === null) await once(child, "exit");
  assert.deepEqual([child.exitCode, log.at(-1).msg], [0, "stopped"]);
  backends.a.stop();
}

function start(...args) {
  return spawn(process.execPath, [...process.execArgv, command, ...args], { cwd: folder });
}

async function run(...args) {
  const child = start(...args);
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) {
    child[name].setEncoding("utf8").on("data", (text) => {
      output[name] += text;
    });
  }
  const [code] = await once(child, "close");
  return { code, ...output };
}
