import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { makeFolder, runCli, serve, writeFile } from "../support/cli.ts";
import { nowhere, poolOf, withAdmin } from "../support/configs.ts";
import { keepAlive, RawClient, sendRequest, startUpstream } from "../support/http.ts";
import { startLoad } from "../support/load.ts";
import { countersOf, decreased, setWeight, whenReplaced, workersOf } from "../support/workers.ts";

const twoWorkers = '[server]\nlisten = "127.0.0.1:0"\nworkers = 2\n';
const quiet = '[accessLog]\nformat = "none"\n';

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("workers that are killed take only their own requests along, and connections wait while none lives", async () => {
  const upstream = await startUpstream((_req, res) => res.end("ok"));
  const { url, admin, kill, ended, stderr } = await serve(twoWorkers + withAdmin + quiet + poolOf(upstream.url));
  const agent = keepAlive(6);
  const loads = [startLoad(6, () => sendRequest(url, { agent })), startLoad(4, () => sendRequest(url))];
  let counters = await countersOf(admin);
  for (const victims of [[0], [1], [0, 1], [0, 1]]) {
    const workers = await workersOf(admin);
    const pids = victims.map((index) => workers[index]?.pid ?? 0);
    for (const pid of pids) process.kill(pid, "SIGKILL");
    // A reload and a change meanwhile concern the replacements too.
    kill("SIGHUP");
    expect((await setWeight(admin, "app/a", 1 + pids.length)).status).toBe(200);
    expect((await sendRequest(url)).text).toBe("ok");
    await whenReplaced(admin, pids);
    const later = await countersOf(admin);
    expect(decreased(counters, later)).toEqual([]);
    counters = later;
  }
  const results = await Promise.all(loads.map((load) => load.stop()));
  const lost = results.flatMap(({ errors }) => errors.map((error) => (error as NodeJS.ErrnoException).code));
  // Six deaths of workers, each with at most its share of ten clients.
  expect(lost.length).toBeLessThanOrEqual(40);
  expect(new Set(lost)).not.toContain("ECONNREFUSED");
  for (const { responses } of results) expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
  const ends = stderr.records.filter(({ reason }) => reason === "killed");
  expect(ends).toHaveLength(6);
  expect(ends[0]).toMatchObject({ level: "error", signal: "SIGKILL", pid: expect.any(Number), worker: 1 });
  expect((await workersOf(admin)).map(({ restarts }) => restarts)).toEqual([{ killed: 3 }, { killed: 3 }]);
  // A restart in place keeps the counts, and its workers serve from then on.
  const { text } = await sendRequest(admin, {
    method: "POST",
    path: "/api/restart",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  const { pid } = JSON.parse(text) as { pid: number };
  onTestFinished(() => {
    if (isAlive(pid)) process.kill(pid, "SIGKILL");
  });
  const successors = await workersOf(admin);
  expect(successors.map(({ restarts }) => restarts)).toEqual([{ killed: 3 }, { killed: 3 }]);
  expect(decreased(counters, await countersOf(admin))).toEqual([]);
  expect((await sendRequest(url)).text).toBe("ok");
  process.kill(pid, "SIGTERM");
  expect(await ended).toEqual({ code: 0, signal: null });
}, 120_000);

test("a worker that stalls, or aborts as V8 does without memory, is replaced, and no upstream is blamed", async () => {
  const upstream = await startUpstream((_req, res) => res.end("ok"));
  const { url, admin, ended, stderr, kill } = await serve(twoWorkers + withAdmin + quiet + poolOf(upstream.url));
  const [aborts, stalls] = await workersOf(admin);
  if (aborts === undefined || stalls === undefined) throw new Error("there are two workers");
  process.kill(aborts.pid, "SIGABRT");
  await whenReplaced(admin, [aborts.pid]);
  process.kill(stalls.pid, "SIGSTOP");
  // Each request has a connection of its own. The two that the stalled worker is given go to the other one in the end.
  const responses = await Promise.all(Array.from({ length: 20 }, () => sendRequest(url)));
  expect(new Set(responses.map(({ text }) => text))).toEqual(new Set(["ok"]));
  await whenReplaced(admin, [stalls.pid]);
  expect((await workersOf(admin)).map(({ restarts }) => restarts)).toEqual([{ killed: 1 }, { stalled: 1 }]);
  expect(stderr.records.filter(({ msg }) => /worker 2 .* has stalled and was killed/.test(String(msg)))).toHaveLength(
    1,
  );
  const [pool] = JSON.parse((await sendRequest(admin, { path: "/api/pools" })).text).pools;
  expect(pool.upstreams[0]).toMatchObject({ available: true, ejections: {}, lastFailure: null });
  kill("SIGTERM");
  expect(await ended).toEqual({ code: 0, signal: null });
}, 60_000);

test("a worker that does not confirm a change is replaced before the call returns, and keeps no connection", async () => {
  const upstream = await startUpstream((_req, res) => res.end("ok"));
  const { url, port, admin, kill, ended, stderr } = await serve(twoWorkers + withAdmin + quiet + poolOf(upstream.url));
  const [first, second] = await workersOf(admin);
  const pid = first?.pid ?? 0;
  process.kill(pid, "SIGSTOP");
  // Some of them are handed to the stopped worker, which cannot confirm them.
  const openClients = () => {
    const request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    return Promise.all(Array.from({ length: 8 }, () => RawClient.open(port, request)));
  };
  const clients = await openClients();
  expect((await setWeight(admin, "app/a", 2)).status).toBe(200);
  expect(isAlive(pid)).toBe(false);
  await Promise.all(clients.map(({ closed }) => closed));
  expect(clients.filter(({ received }) => received.endsWith("ok"))).toHaveLength(8);
  expect(await stderr.record(({ reason }) => reason === "unconfirmed")).toMatchObject({ pid, worker: 1 });
  await whenReplaced(admin, [pid]);
  expect((await sendRequest(url)).text).toBe("ok");
  // A stop waits no longer for a worker that cannot confirm connections.
  process.kill(second?.pid ?? 0, "SIGSTOP");
  const last = await openClients();
  kill("SIGTERM");
  await Promise.all(last.map(({ closed }) => closed));
  expect(last.filter(({ received }) => received.endsWith("ok"))).toHaveLength(8);
  expect(await ended).toEqual({ code: 0, signal: null });
});

test("workers finish their requests when the primary is killed, and end", async () => {
  const held: ServerResponse[] = [];
  const upstream = await startUpstream((_req, res) => {
    held.push(res);
    upstream.server.emit("held");
  });
  const { url, admin, kill, ended } = await serve(twoWorkers + withAdmin + quiet + poolOf(upstream.url));
  const pids = (await workersOf(admin)).map(({ pid }) => pid);
  onTestFinished(() => {
    for (const pid of pids.filter(isAlive)) process.kill(pid, "SIGKILL");
  });
  const response = sendRequest(url);
  await once(upstream.server, "held");
  kill("SIGKILL");
  await ended;
  held[0]?.end("whole");
  expect((await response).text).toBe("whole");
  while (pids.some(isAlive)) await wait(20);
});

test("a second signal ends what workers hold, and workers ignore signals of the terminal", async () => {
  const upstream = await startUpstream(() => upstream.server.emit("held"));
  const { url, admin, kill, ended, stderr } = await serve(twoWorkers + withAdmin + quiet + poolOf(upstream.url));
  const pids = (await workersOf(admin)).map(({ pid }) => pid);
  for (const pid of pids) for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.kill(pid, signal);
  const response = sendRequest(url);
  await once(upstream.server, "held");
  kill("SIGTERM");
  expect(await stderr.record(({ msg }) => msg?.startsWith("stopping") === true)).toMatchObject({ inFlight: 1 });
  const ready = await sendRequest(admin, { path: "/readyz" });
  expect([ready.status, ready.text.includes("draining")]).toEqual([503, true]);
  await expect(sendRequest(url)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  kill("SIGTERM");
  expect((await response).status).toBe(503);
  expect(await ended).toEqual({ code: 0, signal: null });
  expect(pids.filter(isAlive)).toEqual([]);
});

test("a start fails as a whole, with the reason of the worker or of the address", async () => {
  const missing = path.join(makeFolder(), "missing", "access.log");
  const file = writeFile("config.toml", `${twoWorkers}[accessLog]\npath = "${missing}"\n${poolOf(nowhere)}`);
  const { code, stderr } = await runCli(["run", file]);
  expect(code).toBe(1);
  expect(stderr).toContain(
    `evenkeel: the access log ${missing} cannot be opened: there is no such file or directory\n`,
  );

  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const taken = writeFile("config.toml", twoWorkers.replace(":0", `:${port}`) + quiet + poolOf(nowhere));
  const second = await runCli(["run", taken]);
  expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining("another process is listening there") });
});
