import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { connect } from "node:net";
import path from "node:path";
import { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { until } from "../../../core/test/support/event-loop.ts";
import { serve } from "../support/cli.ts";
import { anyPort, nowhere, poolOf, withAdmin } from "../support/configs.ts";
import { keepAlive, RawClient, sendRequest, startUpstream, type Upstream } from "../support/http.ts";
import { startLoad } from "../support/load.ts";

/** An upstream that responds when the test releases it. */
async function startSlow(): Promise<Upstream & { waiting: ServerResponse[]; has(count: number): Promise<void> }> {
  const waiting: ServerResponse[] = [];
  const upstream = await startUpstream((_req, res) => {
    waiting.push(res);
    upstream.server.emit("waiting");
  });
  return {
    ...upstream,
    waiting,
    async has(count) {
      while (waiting.length < count) await once(upstream.server, "waiting");
    },
  };
}

const isStopping = ({ msg }: { readonly msg?: string }) => msg?.startsWith("stopping") === true;

test.each(["SIGTERM", "SIGINT"] as const)("%s loses no request in flight, and ends with 0", async (signal) => {
  const slow = await startSlow();
  const { url, admin, kill, ended, stderr, stdout } = await serve(anyPort + withAdmin + poolOf(slow.url));
  const agent = keepAlive(10);
  const responses = Array.from({ length: 10 }, () => sendRequest(url, { agent }));
  await slow.has(10);
  kill(signal);
  expect(await stderr.record(isStopping)).toMatchObject({ inFlight: 10 });

  const ready = await sendRequest(admin, { path: "/readyz" });
  expect(ready.status).toBe(503);
  expect(ready.text).toContain("draining");
  expect((await sendRequest(admin, { path: "/healthz" })).status).toBe(200);
  await expect(sendRequest(url)).rejects.toMatchObject({ code: "ECONNREFUSED" });

  for (const res of slow.waiting) res.end("late but whole");
  for (const response of await Promise.all(responses)) {
    expect(response).toMatchObject({ status: 200, text: "late but whole", headers: { connection: "close" } });
  }
  expect(await ended).toEqual({ code: 0, signal: null });
  expect(stdout.lines).toHaveLength(10);
});

test("clients that keep sending requests over open connections lose none", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const { url, kill, ended, stdout } = await serve(anyPort + poolOf(upstream.url));
  const agent = keepAlive(16);
  let stopping = false;
  let refused = 0;
  const load = startLoad(16, async () => {
    try {
      return await sendRequest(url, { agent });
    } catch (error) {
      // The connection was refused: the client learns this at once, and no part of its request was processed.
      if (!stopping || (error as NodeJS.ErrnoException).code !== "ECONNREFUSED") throw error;
      refused++;
      return { status: 0, headers: {}, text: "" };
    }
  });
  await stdout.manyRecords(200);
  stopping = true;
  kill("SIGTERM");
  expect(await ended).toEqual({ code: 0, signal: null });
  const { responses, errors } = await load.stop();
  expect(errors).toEqual([]);
  const whole = responses.filter(({ status }) => status !== 0);
  expect(new Set(whole.map(({ text }) => text))).toEqual(new Set(["hello"]));
  expect(stdout.lines).toHaveLength(whole.length);
  expect(refused).toBeGreaterThan(0);
});

test("idle connections are closed and do not delay the stop", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const { port, kill, ended } = await serve(anyPort + poolOf(upstream.url));
  const kept = await RawClient.open(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await kept.until(/hello$/);
  const silent = await RawClient.open(port);
  kill("SIGTERM");
  await Promise.all([kept.closed, silent.closed]);
  expect(await ended).toEqual({ code: 0, signal: null });
});

test("TLS connections without a handshake, or without a request, do not delay the stop", async () => {
  const cert = path.join(import.meta.dirname, "../support/certs/localhost");
  const tls = `[server.tls]\ncert = "${cert}.crt"\nkey = "${cert}.key"\n`;
  const { port, kill, ended } = await serve(
    `${anyPort}[server.timeouts]\nrequestHeaders = "1h"\n${tls}${poolOf(nowhere)}`,
  );
  const silent = await RawClient.open(port);
  const idle = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
  onTestFinished(() => void idle.destroy());
  await once(idle, "secureConnect");
  kill("SIGTERM");
  await Promise.all([silent.closed, once(idle.resume(), "close")]);
  expect(await ended).toEqual({ code: 0, signal: null });
});

test("a TLS handshake in progress may finish, and its request is served", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const cert = path.join(import.meta.dirname, "../support/certs/localhost");
  const tls = `[server.tls]\ncert = "${cert}.crt"\nkey = "${cert}.key"\n`;
  const { port, kill, ended, stderr } = await serve(anyPort + tls + poolOf(upstream.url));
  const silent = await RawClient.open(port);
  // The first bytes of the client arrive. The rest is held until idle connections have been closed.
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  let forward: Buffer[] | undefined = [];
  const wire = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      if (forward === undefined) socket.write(chunk);
      else {
        forward.push(chunk.subarray(5));
        socket.write(chunk.subarray(0, 5));
      }
      done();
    },
  });
  socket.on("data", (chunk) => wire.push(chunk)).on("close", () => wire.push(null));
  const client = connectTls({ socket: wire, rejectUnauthorized: false });
  client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  let received = "";
  client.on("data", (chunk: Buffer) => {
    received += chunk.toString();
  });
  await until(() => forward?.length !== 0);
  kill("SIGTERM");
  await stderr.record(isStopping);
  await silent.closed;
  const rest = forward;
  forward = undefined;
  for (const chunk of rest) socket.write(chunk);
  await once(client, "end");
  expect(received).toMatch(/^HTTP\/1\.1 200 [^]*\r\nConnection: close\r\n[^]*hello$/);
  expect(await ended).toEqual({ code: 0, signal: null });
});

test("a request whose head is incomplete may finish", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const { port, kill, ended, stderr } = await serve(anyPort + poolOf(upstream.url));
  const idle = await RawClient.open(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await idle.until(/hello$/);
  const client = await RawClient.open(port, "GET / HTTP/1.1\r\nHo");
  kill("SIGTERM");
  await stderr.record(isStopping);
  await idle.closed;
  client.socket.write("st: a\r\n\r\n");
  await client.closed;
  expect(client.received).toMatch(/^HTTP\/1\.1 200 [\s\S]*hello$/);
  expect(await ended).toEqual({ code: 0, signal: null });
});

test("after shutdownTimeout the remaining requests are ended and logged", async () => {
  const slow = await startSlow();
  const { url, kill, ended, stdout } = await serve(`${anyPort}shutdownTimeout = "300ms"\n${poolOf(slow.url)}`);
  const unfinished = sendRequest(url).then(
    ({ status }) => status,
    () => "cut off",
  );
  await slow.has(1);
  kill("SIGTERM");
  expect([503, "cut off"]).toContain(await unfinished);
  expect(await ended).toEqual({ code: 0, signal: null });
  expect(stdout.records).toHaveLength(1);
  expect(stdout.records[0]).toMatchObject({ upstream: "a" });
});

test.each(["in the end", "by a second signal"])("a WebSocket gets a close frame with 1001, %s", async (when) => {
  const upstream = await startUpstream((_req, res) => res.end());
  new WebSocketServer({ server: upstream.server });
  const patience = `shutdownTimeout = "${when === "in the end" ? "300ms" : "1h"}"\n`;
  const { port, kill, ended, stdout, stderr } = await serve(anyPort + patience + poolOf(upstream.url));
  const client = new WebSocket(`ws://127.0.0.1:${port}/`);
  await once(client, "open");
  kill("SIGTERM");
  await stderr.record(isStopping);
  if (when === "by a second signal") kill("SIGTERM");
  const [code] = (await once(client, "close")) as [number];
  expect(code).toBe(1001);
  expect(await ended).toEqual({ code: 0, signal: null });
  expect(stdout.records.map(({ status }) => status)).toEqual([101]);
});

test("a second signal ends all requests at once", async () => {
  const slow = await startSlow();
  const { url, kill, ended, stderr, stdout } = await serve(anyPort + poolOf(slow.url));
  const unfinished = sendRequest(url).then(
    ({ status }) => status,
    () => "cut off",
  );
  await slow.has(1);
  kill("SIGTERM");
  await stderr.record(isStopping);
  const startedAt = performance.now();
  kill("SIGTERM");
  expect([503, "cut off"]).toContain(await unfinished);
  expect(await ended).toEqual({ code: 0, signal: null });
  expect(performance.now() - startedAt).toBeLessThan(1_500);
  // The proxy has ended the request, not the client.
  expect(stdout.records).toMatchObject([{ error: "closed", upstream: "a" }]);
});

test("a signal without requests in flight ends the process", async () => {
  const upstream = await startUpstream((_req, res) => res.end());
  const { kill, ended, stdout } = await serve(anyPort + poolOf(upstream.url));
  kill("SIGTERM");
  expect(await ended).toEqual({ code: 0, signal: null });
  expect(stdout.text).toBe("");
});
