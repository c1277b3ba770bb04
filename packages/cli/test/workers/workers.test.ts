import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { connect } from "node:tls";
import type { FailedRequest, UpstreamSnapshot } from "evenkeel";
import { expect, onTestFinished, test } from "vitest";
import { until } from "../../../core/test/support/event-loop.ts";
import { makeFolder, serve } from "../support/cli.ts";
import { poolOf, withAdmin } from "../support/configs.ts";
import { keepAlive, sendRequest, startUpstream } from "../support/http.ts";
import { startLoad } from "../support/load.ts";
import { countersOf, decreased, setWeight, workersOf } from "../support/workers.ts";

const threeWorkers = '[server]\nlisten = "127.0.0.1:0"\nworkers = 3\n';
const intervalMs = 500;
const probed = `[pools.app.healthCheck]\npath = "/probe"\ninterval = "${intervalMs}ms"\nfastInterval = "${intervalMs}ms"\n`;

test("workers serve one configuration: changes reach all of them, and each request counts once", async () => {
  const probes: number[] = [];
  const [a, b] = await Promise.all(
    ["a", "b"].map((name) =>
      startUpstream((req, res) => {
        if (req.url === "/probe") probes.push(performance.now());
        if (req.url?.startsWith("/broken")) res.statusCode = 500;
        res.end(name);
      }),
    ),
  );
  const log = path.join(makeFolder(), "access.log");
  const toml = `${threeWorkers}${withAdmin}[accessLog]\npath = "${log}"\n`;
  const pool = poolOf(String(a?.url), String(b?.url)) + probed;
  const { url, admin, config, kill, ended, stderr } = await serve(toml + pool);
  const begun = performance.now();

  // Keep-alive connections are even, whichever worker was the last to report.
  const agent = keepAlive(30);
  await Promise.all(Array.from({ length: 30 }, () => sendRequest(url, { agent })));
  const workers = await workersOf(admin);
  expect(workers.map(({ worker }) => worker)).toEqual([1, 2, 3]);
  for (const { connections } of workers) expect(connections).toBeGreaterThan(6);

  const loads = [startLoad(8, () => sendRequest(url, { agent })), startLoad(4, () => sendRequest(url))];
  let counters = await countersOf(admin);
  for (let n = 1; n <= 5; n++) {
    writeFileSync(config, `${toml}${pool.replaceAll("/probe", `/probe?${n}`)}`);
    kill("SIGHUP");
    await stderr.manyRecords(n, ({ changes }) => changes !== undefined);
    // After the response no worker uses the upstream.
    expect((await setWeight(admin, "app/b", n % 2)).status).toBe(200);
    if (n % 2 === 0) {
      const some = await Promise.all(Array.from({ length: 12 }, () => sendRequest(url)));
      expect(new Set(some.map(({ text }) => text))).toEqual(new Set(["a"]));
    }
    const later = await countersOf(admin);
    expect(decreased(counters, later)).toEqual([]);
    counters = later;
  }
  const results = await Promise.all(loads.map((load) => load.stop()));
  for (const { responses, errors } of results) {
    expect(errors).toEqual([]);
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
  }
  // The failures of all workers, and the verdicts of the primary.
  await Promise.all(Array.from({ length: 4 }, (_, n) => sendRequest(url, { path: `/broken/${n}?secret` })));
  const { failures } = JSON.parse((await sendRequest(admin, { path: "/api/failures" })).text);
  expect(failures.map(({ path }: FailedRequest) => path).sort()).toEqual([0, 1, 2, 3].map((n) => `/broken/${n}`));
  for (const { status, worker } of failures) expect([status, [1, 2, 3].includes(worker)]).toEqual([500, true]);
  let upstreams: UpstreamSnapshot[] = [];
  await until(async () => {
    ({ upstreams } = JSON.parse((await sendRequest(admin, { path: "/api/pools/app" })).text));
    return upstreams.every(({ health }) => health !== "unknown");
  });
  for (const { condition, lastProbe } of upstreams) {
    expect(condition).toEqual({ status: "healthy", since: expect.any(Number), reason: "status 200" });
    expect(lastProbe).toMatchObject({ ok: true, reason: "status 200" });
  }

  const count = 4 + 30 + 2 * 12 + results.reduce((sum, { responses }) => sum + responses.length, 0);
  const total = [...(await countersOf(admin))].filter(([name]) => name.startsWith("evenkeel_requests_total"));
  expect(total.reduce((sum, [, value]) => sum + value, 0)).toBe(count);
  // The primary probes for all. A reload may bring one probe forward.
  const elapsed = performance.now() - begun;
  expect(probes.length).toBeLessThan(2 * (elapsed / (intervalMs * 0.9) + 8));

  kill("SIGTERM");
  expect(await ended).toEqual({ code: 0, signal: null });
  expect(readFileSync(log, "utf8").trimEnd().split("\n")).toHaveLength(count);
});

test("clients continue their TLS sessions at every worker", async () => {
  const upstream = await startUpstream((_req, res) => res.end("ok"));
  const certs = path.join(import.meta.dirname, "../support/certs");
  const tls = `[server.tls]\ncert = "${certs}/localhost.crt"\nkey = "${certs}/localhost.key"\n`;
  const { port } = await serve(threeWorkers + tls + poolOf(upstream.url));
  const open = (session?: Buffer) => {
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...(session && { session }) });
    onTestFinished(() => void socket.destroy());
    return socket;
  };
  const [session] = (await once(open(), "session")) as [Buffer];
  // The first connection stays open: the next ones go to the other workers.
  for (let n = 0; n < 4; n++) {
    const socket = open(session);
    await once(socket, "secureConnect");
    expect(socket.isSessionReused()).toBe(true);
  }
});

test("the lines of all workers on stdout are whole, and limits hold for the group", async () => {
  const held: (() => void)[] = [];
  let most = 0;
  let inFlight = 0;
  const upstream = await startUpstream((_req, res) => {
    most = Math.max(most, ++inFlight);
    res.once("close", () => inFlight--);
    held.push(() => res.end("ok"));
  });
  const limited = `${poolOf(upstream.url).replace(" }]", ", maxInFlight = 4 }]")}queue = { max = 200, timeout = "30s" }\n`;
  const { url, kill, ended, stdout } = await serve(threeWorkers + limited);
  const release = setInterval(() => {
    for (const end of held.splice(0)) end();
  }, 20);
  const agent = keepAlive(24);
  const responses = await Promise.all(
    Array.from({ length: 240 }, (_, n) => sendRequest(url, { agent, path: `/${n}/${"x".repeat(1_000)}` })),
  );
  clearInterval(release);
  expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
  expect(most).toBeLessThanOrEqual(4);
  kill("SIGTERM");
  expect(await ended).toEqual({ code: 0, signal: null });
  const paths = stdout.lines.map((line) => (JSON.parse(line) as { url: string }).url.split("/")[1]);
  expect(new Set(paths).size).toBe(240);
  expect(paths).toHaveLength(240);
});
