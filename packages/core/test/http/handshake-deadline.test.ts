// `timeouts.total` bounds a handshake with all its attempts, and an answer that refuses it; no tunnel. `perTryTimeout` bounds
// each attempt.

import { expect, test } from "vitest";
import type { PoolOptions } from "../../src/config/options.ts";
import { VirtualClock } from "../../src/runtime/virtual-clock.ts";
import { rawClient } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { onlyPool, startProxy } from "../support/start-proxy.ts";
import { startRawUpstream } from "../support/start-upstream.ts";
import { connectSocket, echo, handshake, startEcho } from "../support/web-sockets.ts";

async function proxyOver(url: string, options: Partial<PoolOptions> = {}) {
  const clock = new VirtualClock();
  const upstreams = [{ id: "a", url, maxInFlight: 1 }];
  const started = await startProxy({ upstreams, timeouts: { total: "1s" }, ...options }, { runtime: { clock } });
  return { ...started, clock, pool: onlyPool(started.proxy) };
}

test("an upstream that says nothing is given up, and blamed for nothing", async () => {
  const upstream = await startRawUpstream((socket) => void socket.on("end", () => socket.end()));
  const { port, clock, finished, proxy } = await proxyOver(upstream.url);
  const client = await rawClient(port, handshake());
  await until(() => upstream.heads.length === 1);
  await clock.advanceAsync(999);
  expect(client.text).toBe("");
  await clock.advanceAsync(1);
  const { text } = await client.over();
  expect(text).toMatch(/^HTTP\/1\.1 504 /);
  expect(text).toContain('details="total_timeout"');
  expect((await finished(1))[0]).toMatchObject({
    status: 504,
    error: "total_timeout",
    attempts: [{ upstream: "a", error: "total_timeout" }],
  });
  expect(onlyPool(proxy).snapshot().upstreams[0]).toMatchObject({ inFlight: 0, lastFailure: null });
  await until(() => upstream.sockets.size === 0);
});

test("the wait in the queue is part of it", async () => {
  const upstream = await startEcho();
  const { url, port, clock, pool, finished } = await proxyOver(upstream.url);
  const socket = await connectSocket(url);
  const waiting = await rawClient(port, handshake());
  await until(() => pool.queue.depth === 1);
  await clock.advanceAsync(1_000);
  expect((await waiting.over()).text).toMatch(/^HTTP\/1\.1 504 /);
  expect((await finished(1))[0]).toMatchObject({ error: "total_timeout", flags: ["queued"], attempts: [] });
  expect(pool.queue.depth).toBe(0);
  // The tunnel is as old by now.
  expect((await echo(socket, "still here")).data.toString()).toBe("still here");
});

test("no other attempt is begun that would wait beyond it", async () => {
  const upstream = await startRawUpstream((socket) => socket.resetAndDestroy());
  const other = await startRawUpstream((socket) => socket.resetAndDestroy());
  const options = { upstreams: [upstream.url, other.url], timeouts: { total: "20ms" } };
  const { port, finished } = await proxyOver(upstream.url, options);
  expect((await (await rawClient(port, handshake())).over()).text).toMatch(/^HTTP\/1\.1 502 /);
  expect((await finished(1))[0]).toMatchObject({ error: "reset", attempts: [{ error: "reset" }] });
});

test("an attempt has as long as `perTryTimeout` says, and then the next one is asked", async () => {
  const silent = await startRawUpstream((socket) => void socket.on("end", () => socket.end()));
  const good = await startEcho();
  const { url, clock, finished } = await proxyOver(silent.url, {
    upstreams: [
      { id: "silent", url: silent.url },
      { id: "good", url: good.url, backup: true },
    ],
    timeouts: {},
    retry: { on: ["timeout"], perTryTimeout: "100ms" },
  });
  const opening = connectSocket(url);
  await until(() => silent.heads.length === 1);
  await clock.advanceAsync(99);
  expect(good.received).toHaveLength(0);
  await clock.advanceAsync(1);
  // A retry comes after a pause by chance.
  clock.advance(clock.nextAt - clock.now());
  const socket = await opening;
  socket.close();
  expect((await finished(1))[0]?.attempts).toMatchObject([
    { upstream: "silent", error: "headers_timeout" },
    { upstream: "good", status: 101 },
  ]);
});

test("a refusal that goes on beyond it is cut off", async () => {
  const upstream = await startRawUpstream((socket) => {
    socket.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nbecause");
    socket.on("end", () => socket.end());
  });
  const { port, clock, finished } = await proxyOver(upstream.url);
  const client = await rawClient(port, handshake());
  await client.until(/because$/);
  await clock.advanceAsync(1_000);
  // The break is told by a reset some milliseconds later.
  await clock.advanceAsync(1_000);
  expect((await client.over()).text).toMatch(/\r\nContent-Length: 100\r\n[^]*\r\n\r\nbecause$/);
  expect((await finished(1))[0]).toMatchObject({ status: 403, error: "total_timeout", flags: ["truncated"] });
  await until(() => upstream.sockets.size === 0);
});

test("a refusal that has come whole, and that its client does not take, is cut off", async () => {
  const upstream = await startRawUpstream((socket) => {
    socket.end(`HTTP/1.1 403 Forbidden\r\nContent-Length: 9000\r\n\r\n${"x".repeat(9_000)}`);
  });
  const { server, port, clock, finished, pool } = await proxyOver(upstream.url);
  // As if the kernel's buffers were full, whose sizes differ from machine to machine.
  server.once("connection", (socket) => Object.assign(socket, { _write: () => {}, _writev: () => {} }));
  const client = await rawClient(port, handshake());
  await until(() => pool.snapshot().upstreams[0]?.outcomes.success === 1);
  await clock.advanceAsync(1_000);
  await clock.advanceAsync(1_000);
  expect((await finished(1))[0]).toMatchObject({ status: 403, error: "total_timeout", flags: ["truncated"] });
  expect((await client.over()).text).toBe("");
});

test("an answer in time leaves nothing behind that could strike later", async () => {
  const upstream = await startRawUpstream((socket) => void socket.end("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"));
  const { port, clock, finished } = await proxyOver(upstream.url);
  expect((await (await rawClient(port, handshake())).over()).text).toMatch(/^HTTP\/1\.1 403 /);
  expect((await finished(1))[0]).toMatchObject({ status: 403, error: undefined });
  // The ticker stops with the next tick, when it has nothing to watch.
  await clock.advanceAsync(20);
  expect(clock.pending).toBe(0);
});

test("silence within a refusal is cut off when it lasts longer than `timeouts.idle`", async () => {
  const upstream = await startRawUpstream((socket) => {
    socket.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nbecause");
    socket.on("end", () => socket.end());
  });
  const { port, clock, finished } = await proxyOver(upstream.url, { timeouts: { idle: "500ms" } });
  const client = await rawClient(port, handshake());
  await client.until(/because$/);
  await clock.advanceAsync(480);
  expect(client.socket.readableEnded).toBe(false);
  await clock.advanceAsync(40);
  // The break is told by a reset some milliseconds later.
  await clock.advanceAsync(1_000);
  expect((await client.over()).text).toMatch(/because$/);
  expect((await finished(1))[0]).toMatchObject({ status: 403, error: "response_idle_timeout", flags: ["truncated"] });
});
