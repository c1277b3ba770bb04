import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { makeFolder } from "../support/cli.ts";
import { anyPort, poolOf, withAdmin } from "../support/configs.ts";
import { keepAlive, sendRequest, startUpstream } from "../support/http.ts";
import { startLoad } from "../support/load.ts";
import { serveRestartable } from "../support/restart.ts";
import { countersOf, decreased } from "../support/workers.ts";

test.each([1, 2])(
  "restarts under load lose nothing: requests, tunnels, counts, settings (%i workers)",
  async (workers) => {
    const upstream = await startUpstream((_req, res) => res.end("hello"));
    new WebSocketServer({ server: upstream.server }).on("connection", (socket) => {
      socket.on("message", (data) => socket.send(String(data)));
    });
    const pidFile = path.join(makeFolder(), "evenkeel.pid");
    const toml = `${anyPort}workers = ${workers}\n${withAdmin}${poolOf(upstream.url, upstream.url)}`;
    const served = await serveRestartable(toml, { args: ["--pid-file", pidFile] });
    const { url, port, admin, stdout, stderr } = served;
    expect(readFileSync(pidFile, "utf8")).toBe(`${served.pid}\n`);
    const body = JSON.stringify({ weight: 7 });
    const headers = { "content-type": "application/json" };
    await sendRequest(admin, { method: "PATCH", path: "/api/pools/app/upstreams/a", headers, body });
    await sendRequest(admin, {
      method: "PATCH",
      path: "/api/pools/app/upstreams/b",
      headers,
      body: JSON.stringify({ state: "disabled" }),
    });

    const tunnel = new WebSocket(`ws://127.0.0.1:${port}/tunnel`);
    await once(tunnel, "open");
    const agent = keepAlive(8);
    const loads = [
      startLoad(8, () => sendRequest(url, { agent })),
      startLoad(4, () => sendRequest(url, { headers: { connection: "close" } })),
    ];
    const scrapes: ReadonlyMap<string, number>[] = [];
    const scraping = startLoad(1, async () => {
      scrapes.push(await countersOf(admin));
      return { status: 200, headers: {}, text: "" };
    });
    const pids = [served.pid];
    for (const by of ["admin", "signal", "admin"] as const) {
      await served.restart(by);
      pids.push(served.pid);
      expect(readFileSync(pidFile, "utf8")).toBe(`${served.pid}\n`);
      tunnel.send(by);
      expect(String((await once(tunnel, "message"))[0])).toBe(by);
    }
    expect(new Set(pids).size).toBe(4);
    const results = await Promise.all(loads.map((load) => load.stop()));
    expect((await scraping.stop()).errors).toEqual([]);
    for (const { responses, errors } of results) {
      expect(errors).toEqual([]);
      expect(new Set(responses.map(({ status, text }) => `${status} ${text}`))).toEqual(new Set(["200 hello"]));
    }
    const sent = results.reduce((sum, { responses }) => sum + responses.length, 0);
    expect(sent).toBeGreaterThan(500);

    const [a, b] = JSON.parse((await sendRequest(admin, { path: "/api/pools/app" })).text).upstreams;
    expect(a).toMatchObject({ weight: 7, state: "active", tunnels: 1 });
    expect(b).toMatchObject({ weight: 1, state: "disabled" });
    const requests = 'evenkeel_requests_total{route="/*",pool="app",method="GET",code="200"}';
    // The last counts of a process that drains may be on their way.
    while (((await countersOf(admin)).get(requests) ?? 0) < sent);
    for (const [index, scrape] of scrapes.entries()) {
      expect(decreased(scrapes[index - 1] ?? new Map(), scrape)).toEqual([]);
    }

    // The tunnel holds the first process, and so those after it.
    const ends = () => stderr.records.filter(({ msg }) => msg === "stopped").length;
    expect(ends()).toBe(0);
    tunnel.close();
    await stderr.until(() => ends() === 3 || undefined);
    const all = await countersOf(admin);
    expect(all.get(requests)).toBe(sent);
    served.signal("SIGTERM");
    await stderr.until(() => ends() === 4 || undefined);
    await served.ended;
    expect(existsSync(pidFile)).toBe(false);
    const lines = stdout.records;
    expect(stdout.lines).toHaveLength(lines.length);
    expect(lines).toHaveLength(sent + 1);
    expect(new Set(lines.map(({ requestId }) => requestId)).size).toBe(sent + 1);
    expect(stderr.records.filter(({ level }) => level !== "info")).toEqual([]);
  },
);

test("a restart uses the configuration on disk: a new address is opened, a missing one closed", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const folder = makeFolder();
  const toml = (listen: string) =>
    `[server]\nlisten = [${listen}]\n[admin]\nlisten = "unix:${folder}/admin.sock"\n${poolOf(upstream.url)}`;
  const served = await serveRestartable(toml(`"127.0.0.1:0", "unix:${folder}/first.sock"`));
  const port = served.port;
  writeFileSync(served.config, toml(`"127.0.0.1:0", "unix:${folder}/first.sock", "unix:${folder}/second.sock"`));
  await served.restart("signal");
  expect((await sendRequest(`http://127.0.0.1:${port}`)).text).toBe("hello");
  for (const name of ["first.sock", "second.sock"]) {
    expect((await sendRequest("http://a", { socketPath: path.join(folder, name) })).text).toBe("hello");
  }
  const ready = await sendRequest("http://a", { socketPath: path.join(folder, "admin.sock"), path: "/readyz" });
  expect(ready.status).toBe(200);
  await served.firstEnded;
  expect(existsSync(path.join(folder, "first.sock"))).toBe(true);

  writeFileSync(served.config, toml(`"unix:${folder}/second.sock"`));
  await served.restart("signal");
  await served.stderr.manyRecords(2, ({ msg }) => msg === "stopped");
  await expect(sendRequest(`http://127.0.0.1:${port}`)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  expect(existsSync(path.join(folder, "first.sock"))).toBe(false);
  expect((await sendRequest("http://a", { socketPath: path.join(folder, "second.sock") })).text).toBe("hello");
  expect(served.stderr.records.filter(({ level }) => level !== "info")).toEqual([]);
});
