import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { runCli, startCli, whenReady } from "./support/cli.ts";
import { sendRequest } from "./support/http.ts";

test("the demo starts, serves requests, logs the health of its upstreams, and ends with Ctrl-C", async () => {
  const { url, admin, stdout, stderr, kill, ended } = await whenReady(startCli(["demo", "--port", "0"]));
  await stdout.until(() => (stdout.text.includes("Ctrl-C") ? true : undefined));
  expect(stdout.text).toContain(url);
  expect(stdout.text).toContain(`${admin}/api/pools/demo/upstreams/fast`);

  const turns = await Promise.all(Array.from({ length: 6 }, () => sendRequest(url)));
  const names = turns.map(({ text }) => /^hello from (\w+)\n$/.exec(text)?.[1]).sort();
  expect(names).toEqual(["fast", "fast", "flaky", "flaky", "slow", "slow"]);

  const patch = await sendRequest(admin, {
    method: "PATCH",
    path: "/api/pools/demo/upstreams/slow",
    headers: { "content-type": "application/json" },
    body: '{"weight":0}',
  });
  expect(patch.status).toBe(200);
  expect((await sendRequest(admin, { path: "/metrics" })).text).toContain("evenkeel_upstream_requests_total");

  const fast = /fast +(http:\S+)/.exec(stdout.text)?.[1] ?? "";
  expect((await sendRequest(fast, { method: "POST", path: "/down" })).status).toBe(200);
  for (let n = 0; n < 10; n++) expect((await sendRequest(url)).status).toBe(200);
  await stderr.record(({ upstream, to }) => upstream === "fast" && to === "unhealthy");
  await stderr.record(({ upstream, to }) => upstream === "flaky" && to === "unhealthy");
  await stderr.record(({ upstream, to, from }) => upstream === "flaky" && to === "healthy" && from === "unhealthy");

  kill("SIGINT");
  expect(await ended).toEqual({ code: 0, signal: null });
}, 40_000);

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
