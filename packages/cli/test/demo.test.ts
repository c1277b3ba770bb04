import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import type { Failures, Overview } from "@evenkeel/admin";
import { expect, onTestFinished, test, vi } from "vitest";
import { DemoUpstream } from "../src/demo/demo-upstream.ts";
import { scheduleOutages } from "../src/demo/outages.ts";
import { runCli, startCli, whenReady } from "./support/cli.ts";
import { sendRequest } from "./support/http.ts";

test("within ten seconds the demo shows traffic, an upstream in trouble, retries and failed requests", async () => {
  const { url, admin, stdout, stderr, kill, ended } = await whenReady(startCli(["demo", "--port", "0"]));
  await stdout.until(() => (stdout.text.includes("Ctrl-C") ? true : undefined));
  expect(stdout.text.trim().split("\n").slice(0, 2)).toEqual([`dashboard  ${admin}/`, `  proxy      ${url}/`]);
  const read = async <T>(path: string) => JSON.parse((await sendRequest(admin, { path })).text) as T;

  await stderr.record(({ upstream, to }) => upstream === "web-3" && to === "unhealthy");
  expect((await sendRequest(url)).text).toMatch(/^hello from web-[12]\n$/);
  const { problems, pools, traffic } = await read<Overview>("/api/overview");
  expect(problems).toContainEqual(expect.objectContaining({ pool: "web", upstream: "web-3", status: "unhealthy" }));
  expect(traffic.rate).toBeGreaterThan(20);
  expect(pools.map(({ name, upstreams }) => `${name} ${upstreams.length}`)).toEqual(["web 3", "api 3", "reports 1"]);
  const [web, api] = pools;
  expect(web?.upstreams.map(({ weight }) => weight)).toEqual([3, 1, 1]);
  expect(api?.upstreams[2]?.traffic.p50).toBeGreaterThan(100);
  expect(api?.retriesPerSecond).toBeGreaterThan(0);
  const { failures } = await read<Failures>("/api/failures");
  expect(new Set(failures.map(({ pool, status }) => `${pool} ${status}`))).toEqual(new Set(["reports 500"]));

  kill("SIGINT");
  expect(await ended).toEqual({ code: 0, signal: null });
}, 20_000);

test("without traffic, an upstream of the demo can be taken down", async () => {
  const { url, stdout, stderr, kill, ended } = await whenReady(startCli(["demo", "--port", "0", "--no-traffic"]));
  await stdout.until(() => (stdout.text.includes("Ctrl-C") ? true : undefined));
  const turns = await Promise.all(Array.from({ length: 5 }, () => sendRequest(url)));
  const names = turns.map(({ text }) => /^hello from (\S+)\n$/.exec(text)?.[1]).sort();
  expect(names).toEqual(["web-1", "web-1", "web-1", "web-2", "web-3"]);
  const web1 = /POST (http:\S+)\/down/.exec(stdout.text)?.[1] ?? "";
  expect((await sendRequest(web1, { method: "POST", path: "/down" })).status).toBe(200);
  for (let n = 0; n < 10; n++) expect((await sendRequest(url)).status).toBe(200);
  await stderr.record(({ upstream, to }) => upstream === "web-1" && to === "unhealthy");
  kill("SIGTERM");
  expect(await ended).toEqual({ code: 0, signal: null });
});

test("an upstream of the demo comes back after an outage", async () => {
  const upstream = await DemoUpstream.start("one", { errorStatus: 503, errorShare: 1 });
  onTestFinished(() => upstream.close());
  expect(await sendRequest(upstream.url)).toMatchObject({ status: 503, text: "one has an error\n" });
  upstream.goDown(20);
  await expect(sendRequest(upstream.url)).rejects.toThrow("ECONNREFUSED");
  await expect
    .poll(() => sendRequest(upstream.url, { path: "/healthz" }), { interval: 5 })
    .toMatchObject({ status: 200 });
});

test("outages are the same in every run, and at most seven seconds apart", () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const outages = () => {
    const begun = Date.now();
    const found: { readonly at: number; readonly ms: number }[] = [];
    const stop = scheduleOutages({ goDown: (ms) => found.push({ at: Date.now() - begun, ms }) }, 7);
    vi.advanceTimersByTime(600_000);
    stop();
    vi.advanceTimersByTime(60_000);
    return found;
  };
  const found = outages();
  expect(outages()).toEqual(found);
  expect(found[0]?.at).toBe(3_000);
  expect(found.length).toBeGreaterThan(10);
  for (const [index, { at, ms }] of found.slice(1).entries()) {
    const before = found[index];
    expect(at - (before?.at ?? 0) - (before?.ms ?? 0)).toBeLessThanOrEqual(7_000);
    expect(ms).toBeGreaterThanOrEqual(15_000);
  }
});

test("the demo takes the next free port when 8080 is taken", async () => {
  const server = createServer().listen(8080, "127.0.0.1");
  // Another process may already listen there, which serves the purpose as well.
  await once(server, "listening").catch(() => {});
  onTestFinished(() => void server.close());
  const { port, kill, ended } = await whenReady(startCli(["demo"]));
  expect(port).toBeGreaterThan(8080);
  expect(port).toBeLessThan(8200);
  kill("SIGTERM");
  expect(await ended).toEqual({ code: 0, signal: null });
});

test.each(["70000", "x", "-1"])("the demo refuses port %s", async (port) => {
  expect((await runCli(["demo", `--port=${port}`])).code).toBe(1);
});

test("the demo ends with 1 and one line when the given port is taken", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const { code, stderr } = await runCli(["demo", "--port", String(port)]);
  expect(code).toBe(1);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
});
