import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { StrictClient } from "../support/raw-client.ts";
import { recordingUpstream } from "../support/recording-upstream.ts";
import { startProxy } from "../support/start-proxy.ts";

const patienceMs = 5_000;
const head = (more: string) => `POST /case HTTP/1.1\r\nHost: h\r\n${more}\r\n`;
const waiting = head("Expect: 100-continue\r\nContent-Length: 5\r\n");

async function serve() {
  const upstream = await recordingUpstream({});
  const served = await startProxy({ pools: { app: { upstreams: [upstream.url] } } });
  const { handler } = served.proxy;
  served.server.on("checkContinue", handler).on("checkExpectation", handler);
  const client = await StrictClient.to(served.port);
  onTestFinished(() => void client.socket.destroy());
  return { ...served, upstream, client };
}

test("100 comes when an upstream takes the body, which is sent on without the expectation", async () => {
  const { client, upstream, requests } = await serve();
  client.socket.write(waiting);
  expect(await client.when(() => client.text === "HTTP/1.1 100 Continue\r\n\r\n", patienceMs)).toBe(true);
  client.socket.write("hello");
  await client.when(() => client.read([]).responses.length === 1, patienceMs);
  expect(client.read([]).informational.map(({ status }) => status)).toEqual([100]);
  expect(client.read([]).responses).toMatchObject([{ status: 200 }]);
  expect(upstream.requests.map(({ body }) => body.toString())).toEqual(["hello"]);
  expect(upstream.received.join("")).not.toMatch(/expect/i);
  expect(requests).toMatchObject([{ status: 200, bytesIn: 5 }]);
  // The connection goes on.
  client.socket.write("GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
  expect(await client.when(() => client.read([]).responses.length === 2, patienceMs)).toBe(true);
});

test("behind another request's answer, 100 waits for its turn", async () => {
  const { client } = await serve();
  client.socket.write(`GET /first HTTP/1.1\r\nHost: h\r\n\r\n${waiting}`);
  expect(await client.when(() => client.text.includes("100 Continue"), patienceMs)).toBe(true);
  expect(client.text).toMatch(/^HTTP\/1\.1 200 OK[^]*\r\n\r\n[^]*HTTP\/1\.1 100 Continue\r\n\r\n$/);
  client.socket.write("hello");
  expect(await client.when(() => client.read([]).responses.length === 2, patienceMs)).toBe(true);
});

test("anything else that is expected is 417, told once", async () => {
  const { client, upstream, requests, proxy } = await serve();
  client.socket.write(head("Expect: the-unexpected\r\nContent-Length: 5\r\n"));
  expect(await client.when(() => client.how !== undefined, patienceMs)).toBe(true);
  expect(client.text).toMatch(/^HTTP\/1\.1 417 /);
  expect(requests).toMatchObject([{ status: 417, error: "expectation_failed", url: "/case" }]);
  expect(proxy.snapshot().requests).toMatchObject([{ code: 417, count: 1 }]);
  expect(upstream.sockets.size).toBe(0);
});

test("without the listeners node answers: 100 at once and once, 417 untold", async () => {
  const { client, proxy, requests } = await serve();
  const server = createServer(proxy.handler).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close().closeAllConnections());
  await new Promise((resolve) => {
    server.once("listening", resolve);
  });
  const plain = await StrictClient.to((server.address() as AddressInfo).port);
  onTestFinished(() => void plain.socket.destroy());
  plain.socket.write(waiting);
  await plain.when(() => plain.text.includes("100 Continue"), patienceMs);
  plain.socket.write("hello");
  expect(await plain.when(() => plain.read([]).responses.length === 1, patienceMs)).toBe(true);
  expect(plain.read([]).informational).toHaveLength(1);
  plain.socket.write(head("Expect: the-unexpected\r\n"));
  expect(await plain.when(() => plain.read([]).responses.length === 2, patienceMs)).toBe(true);
  expect(plain.read([]).responses[1]?.status).toBe(417);
  expect(requests).toHaveLength(1);
  client.socket.destroy();
});
