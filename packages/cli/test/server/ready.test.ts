import path from "node:path";
import { expect, test } from "vitest";
import { makeFolder, serve, startCli, writeFile } from "../support/cli.ts";
import { poolOf, withAdmin } from "../support/configs.ts";
import { sendRequest, startUpstream } from "../support/http.ts";
import { workersOf } from "../support/workers.ts";

test("once /readyz is 200, clients are served", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const folder = makeFolder();
  const [clients, admin] = ["clients.sock", "admin.sock"].map((name) => path.join(folder, name)) as [string, string];
  const toml = `[server]
listen = "unix:${clients}"
workers = 2
[admin]
listen = "unix:${admin}"
${poolOf(upstream.url)}`;
  const { ended } = startCli(["run", writeFile("config.toml", toml)]);
  let over = false;
  void ended.then(() => {
    over = true;
  });
  const statusOf = async (socketPath: string, at: string) => {
    const response = await sendRequest("http://localhost", { socketPath, path: at }).catch(() => undefined);
    return response?.status ?? 0;
  };
  const statuses = new Set<number>();
  while (!over && !statuses.has(200)) statuses.add(await statusOf(admin, "/readyz"));
  expect(await statusOf(clients, "/")).toBe(200);
});

test("/readyz is 503 while no worker lives", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const { url, admin } = await serve(
    `[server]\nlisten = "127.0.0.1:0"\nworkers = 2\n${withAdmin}${poolOf(upstream.url)}`,
  );
  const ready = async () => (await sendRequest(admin, { path: "/readyz" })).status;
  const [first, second] = (await workersOf(admin)).map(({ pid }) => pid);
  process.kill(first ?? 0, "SIGKILL");
  expect(await ready()).toBe(200);
  process.kill(second ?? 0, "SIGKILL");
  while ((await ready()) !== 503);
  while ((await ready()) !== 200);
  expect((await sendRequest(url)).text).toBe("hello");
});
