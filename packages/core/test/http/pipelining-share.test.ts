import http from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import { createProxy } from "../../src/proxy.ts";
import { fetchFrom, rawClient } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { startProxy } from "../support/start-proxy.ts";
import { startUpstream } from "../support/start-upstream.ts";

const request = "GET /ahead HTTP/1.1\r\nHost: h\r\n\r\n";
const count = 20_000;
/** Bytes that Node reads at a time. */
const readBytes = 65_536;

/** Counts calls, and the most of them in one turn of the event loop. */
function perTurn() {
  let inTurn = 0;
  const counts = { all: 0, most: 0 };
  const add = (): void => {
    if (inTurn === 0)
      setImmediate(() => {
        inTurn = 0;
      });
    counts.all++;
    counts.most = Math.max(counts.most, ++inTurn);
  };
  return { counts, add };
}

/** Serves a proxy and counts what Node hands to it, and what it takes in itself. */
async function serve(options: Parameters<typeof createProxy>[0]) {
  const handed = perTurn();
  const taken = perTurn();
  const finished = perTurn();
  const proxy = createProxy(options, { onRequest: () => taken.add() });
  proxy.on("request", finished.add);
  const server = http.createServer((req, res) => {
    if (req.url === "/ahead") handed.add();
    proxy.handler(req, res);
  });
  server.on("clientError", proxy.clientError).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await proxy.close({ timeout: "0s" });
  });
  return { port: (server.address() as AddressInfo).port, handed, taken, finished };
}

test("a client that sends 20,000 requests in one write gets its share of each turn, and others are answered meanwhile", async () => {
  const upstream = await startUpstream("a");
  const { port, handed, taken } = await serve({ upstreams: [upstream.url] });
  const client = await rawClient(port, request.repeat(count));
  await until(() => handed.counts.all > 1_000);
  const other = await fetchFrom(`http://127.0.0.1:${port}/other`);
  expect(other.status).toBe(200);
  // The other request was not behind them all.
  expect(taken.counts.all).toBeLessThan(count);
  await until(() => taken.counts.all === count + 1);
  expect(handed.counts.most).toBeLessThanOrEqual(Math.ceil(readBytes / request.length) + 1);
  expect(taken.counts.most).toBeLessThanOrEqual(2 * (limits.pipelinedRequests + 1));
  client.socket.destroy();
});

test("so it is for requests that the proxy answers itself", async () => {
  const pools = { a: { upstreams: ["http://127.0.0.1:1"] } };
  const { port, handed, finished } = await serve({ pools, routes: [{ path: "/nothing", pool: "a" }] });
  const client = await rawClient(port, request.repeat(count));
  await until(() => finished.counts.all >= count);
  expect(finished.counts.all).toBe(count);
  expect(handed.counts.most).toBeLessThanOrEqual(Math.ceil(readBytes / request.length) + 1);
  expect(finished.counts.most).toBeLessThanOrEqual(3 * (limits.pipelinedRequests + 1));
  client.socket.destroy();
});

test("a client that leaves behind thousands of requests takes no more of a turn, and each has its event", async () => {
  const { proxy, port, requests } = await startProxy({
    upstreams: ["http://127.0.0.1:1"],
    timeouts: { headers: "60s" },
  });
  const upstream = await startUpstream("a", () => {});
  proxy.reload({ upstreams: [upstream.url] });
  const ended = perTurn();
  proxy.on("request", ended.add);
  const client = await rawClient(port, request.repeat(2_000));
  await until(() => proxy.snapshot().pools[0]?.inFlight === 1 + limits.pipelinedRequests);
  client.socket.destroy();
  await until(() => ended.counts.all === 2_000);
  expect(requests.every(({ status }) => status === 499)).toBe(true);
  expect(ended.counts.most).toBeLessThanOrEqual(3 * (limits.pipelinedRequests + 1));
});

test("requests that one proxy leaves to the next take one place each, and all get their responses", async () => {
  const upstream = await startUpstream("a");
  const pools = { a: { upstreams: [upstream.url] } };
  const [first, second] = ["/first", "/ahead"].map((path) => createProxy({ pools, routes: [{ path, pool: "a" }] }));
  if (first === undefined || second === undefined) throw new Error("no proxies");
  const server = http.createServer((req, res) => first.handler(req, res, () => second.handler(req, res)));
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    for (const proxy of [first, second]) await proxy.close({ timeout: "0s" });
  });
  const requests = limits.pipelinedRequests * 4;
  let finished = 0;
  second.on("request", ({ status }) => {
    if (status === 200) finished++;
  });
  const client = await rawClient((server.address() as AddressInfo).port, request.repeat(requests));
  await until(() => finished === requests);
  client.socket.destroy();
});
