import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import path from "node:path";
import { expect, test } from "vitest";
import { hasProgram } from "../../../core/test/support/server-programs.ts";
import { makeFolder } from "../support/cli.ts";
import { poolOf } from "../support/configs.ts";
import { sendRequest, startUpstream } from "../support/http.ts";
import { serveRestartable } from "../support/restart.ts";

/** Ports that are free now. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

test.skipIf(!hasProgram("systemd-socket-activate"))("the sockets of systemd outlive every process", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const [port = 0, admin = 0, unused = 0] = await freePorts(3);
  const socketPath = path.join(makeFolder(), "a.sock");
  const listen = [`127.0.0.1:${port}`, `127.0.0.1:${admin}`, socketPath, `127.0.0.1:${unused}`];
  const wrapper = ["systemd-socket-activate", ...listen.flatMap((each) => ["-l", each])];
  const toml = `[server]
listen = ["127.0.0.1:${port}", "unix:${socketPath}"]
[admin]
listen = "127.0.0.1:${admin}"
${poolOf(upstream.url)}`;
  // The first connection starts the command. It waits until the command serves.
  const first = waitFor(() => sendRequest(`http://127.0.0.1:${port}`));
  const served = await serveRestartable(toml, { wrapper });
  expect((await first).text).toBe("hello");
  expect(served.stderr.records.filter(({ level }) => level === "warn")).toMatchObject([
    { msg: expect.stringMatching(new RegExp(`a socket of systemd is not used: .*127\\.0\\.0\\.1:${unused}`)) },
  ]);
  for (let process = 1; process <= 3; process++) {
    expect((await sendRequest(`http://127.0.0.1:${port}`)).text).toBe("hello");
    expect((await sendRequest("http://a", { socketPath })).text).toBe("hello");
    expect((await sendRequest(`http://127.0.0.1:${admin}`, { path: "/healthz" })).status).toBe(200);
    if (process < 3) await served.restart(process === 1 ? "signal" : "admin");
  }
  served.signal("SIGTERM");
  await served.ended;
  expect(existsSync(socketPath)).toBe(true);
  expect(served.stderr.records.filter(({ level }) => level === "error")).toEqual([]);
});

test.skipIf(!hasProgram("systemd-analyze"))("the units in the docs are valid", () => {
  const page = readFileSync(path.join(import.meta.dirname, "../../../../docs/operations.md"), "utf8");
  const units = [...page.matchAll(/^```ini\n# \/etc\/systemd\/system\/(\S+)\n(.*?)^```/gms)];
  expect(units.map(([, name]) => name)).toEqual(["evenkeel.service", "evenkeel.socket"]);
  const folder = makeFolder();
  const files = units.map(([, name = "", unit = ""]) => {
    const file = path.join(folder, name);
    // The program has to exist.
    writeFileSync(file, unit.replaceAll("/usr/local/bin/evenkeel", process.execPath));
    return file;
  });
  const { status, stdout, stderr } = spawnSync("systemd-analyze", ["verify", ...files], { encoding: "utf8" });
  expect({ status, output: stdout + stderr }).toEqual({ status: 0, output: "" });
});

/** Tries again until something listens. */
async function waitFor<T>(send: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await send();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ECONNREFUSED") throw error;
    }
  }
}
