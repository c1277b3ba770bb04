import * as http from "node:http";
import type * as net from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { HealthChecker } from "../../src/health/health-checker.ts";
import { Pool } from "../../src/pool/pool.ts";
import { standstill } from "../support/event-loop.ts";
import { holdPort } from "../support/refusing-port.ts";
import { answering, run, serve } from "./raw-server.ts";

test("a probe in flight does not keep the process alive", async () => {
  const alive = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap");
  // Wait until the sockets of earlier tests have closed.
  await standstill(() => alive().length);
  const before = alive().length;
  let onRequest = (_socket: net.Socket) => {};
  const received = new Promise<net.Socket>((resolve) => {
    onRequest = resolve;
  });
  const server = await serve(answering((socket) => onRequest(socket)));
  const controller = new AbortController();
  const result = run(`http://127.0.0.1:${server.port}`, { signal: controller.signal });
  const accepted = await received;
  // Only the server's side of the connection is referenced.
  expect(alive()).toHaveLength(before + 1);
  accepted.unref();
  expect(alive()).toHaveLength(before);
  controller.abort();
  await result;
});

test("a checker works with a pool alone: a server becomes unhealthy and healthy again", async () => {
  let app = http.createServer((_request, reply) => void reply.end("ok"));
  await new Promise<void>((resolve) => app.listen(0, "127.0.0.1", resolve));
  const { port } = app.address() as net.AddressInfo;
  const pool = new Pool("api", { upstreams: [`http://127.0.0.1:${port}`] });
  const checker = new HealthChecker(pool, { interval: "100ms", timeout: "1s", expectBody: "ok" });
  onTestFinished(() => checker.stop());
  onTestFinished(() => void app.close());
  const change = () => new Promise((resolve) => pool.once("health", ({ to, reason }) => resolve(`${to}: ${reason}`)));

  const up = change();
  checker.start();
  expect(await up).toBe("healthy: status 200");
  const down = change();
  app.close();
  const releasePort = holdPort(port);
  expect(await down).toBe("unhealthy: connect_refused");
  expect(pool.available).toEqual([]);
  const back = change();
  app = http.createServer((_request, reply) => void reply.end("ok"));
  releasePort();
  app.listen(port, "127.0.0.1");
  expect(await back).toBe("healthy: status 200");
  expect(pool.available).toHaveLength(1);
});
