import path from "node:path";
import { expect, test } from "vitest";
import { makeFolder, startCli, writeFile } from "../support/cli.ts";
import { poolOf } from "../support/configs.ts";
import { sendRequest, startUpstream } from "../support/http.ts";

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
