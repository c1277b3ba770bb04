import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { Agent } from "node:https";
import path from "node:path";
import { TLSSocket } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { makeFolder, serve } from "../support/cli.ts";
import { anyPort, nowhere, poolOf, withAdmin } from "../support/configs.ts";
import { RawClient, sendRequest, startUpstream } from "../support/http.ts";
import { openSession, requestOver } from "../support/http2-client.ts";
import { startLoad } from "../support/load.ts";

const certs = path.join(import.meta.dirname, "../support/certs");
const quiet = '[accessLog]\nformat = "none"\n';
const tlsOf = (cert: string, key: string) => `[server.tls]\ncert = "${cert}"\nkey = "${key}"\n`;
const tls = tlsOf(`${certs}/localhost.crt`, `${certs}/localhost.key`);

test("HTTP/2 over TLS, and its protocol in the access log", async () => {
  const upstream = await startUpstream((req, res) => res.end(req.headers["x-forwarded-proto"]));
  const { url, stdout } = await serve(anyPort + tls + poolOf(upstream.url));
  const session = await openSession(url);
  expect(session.alpnProtocol).toBe("h2");
  expect(await requestOver(session)).toMatchObject({ status: 200, text: "https" });
  expect(await sendRequest(url)).toMatchObject({ status: 200, text: "https" });
  const lines = await stdout.manyRecords(2);
  expect(lines.map(({ protocol }) => protocol)).toEqual(["HTTP/2.0", "HTTP/1.1"]);
});

test("h2c, limits and the PROXY protocol of the configuration", async () => {
  const upstream = await startUpstream((req, res) => res.end(req.headers["x-forwarded-for"]));
  const server = `${anyPort}h2c = true\nlimits = { headBytes = "1kb", maxConcurrentStreams = 3 }\n`;
  const { url, port, kill, config, stderr, admin } = await serve(server + withAdmin + poolOf(upstream.url));
  const session = await openSession(url);
  expect((await requestOver(session)).text).toBe("127.0.0.1");
  expect(session.remoteSettings.maxConcurrentStreams).toBe(3);
  const large = await RawClient.open(port, `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(1_100)}\r\n\r\n`);
  await large.closed;
  expect(large.received).toMatch(/^HTTP\/1\.1 431 /);

  writeFileSync(config, `${server}proxyProtocol = ["127.0.0.1"]\n${withAdmin}${poolOf(upstream.url)}`);
  kill("SIGHUP");
  await stderr.record(({ changes }) => changes !== undefined);
  const get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  const behind = await RawClient.open(port, `PROXY TCP4 192.0.2.7 127.0.0.1 1 80\r\n${get}`);
  await behind.closed;
  expect(behind.received).toMatch(/^HTTP\/1\.1 200 [^]*192\.0\.2\.7$/);
  const direct = await RawClient.open(port, get);
  await direct.closed;
  expect(direct.received).toBe("");
  await stderr.record(({ msg = "" }) => msg.includes("PROXY header"));
  const { text } = await sendRequest(admin, { path: "/metrics" });
  expect(text).toMatch(/^evenkeel_proxy_header_failures_total 1$/m);
  expect((await requestOver(session)).text).toBe("127.0.0.1");
});

test("a hundred reloads with TLS and HTTP/2 under load lose no request, and renew the certificate", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const folder = makeFolder();
  const [cert, key] = ["site.crt", "site.key"].map((name) => path.join(folder, name)) as [string, string];
  const use = (name: string) => {
    copyFileSync(`${certs}/${name}.crt`, cert);
    copyFileSync(`${certs}/${name}.key`, key);
  };
  use("localhost");
  const { url, kill, stderr, ended } = await serve(anyPort + quiet + tlsOf(cert, key) + poolOf(upstream.url));
  const session = await openSession(url);
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  onTestFinished(() => agent.destroy());
  let handshakes = 0;
  const shakeHands = async () => {
    const response = await sendRequest(url);
    handshakes++;
    return response;
  };
  const loads = [
    startLoad(8, () => requestOver(session)),
    startLoad(4, () => sendRequest(url, { agent })),
    startLoad(1, shakeHands),
  ];
  for (let n = 1; n <= 100; n++) {
    use(n % 2 === 0 ? "localhost" : "renewed");
    kill("SIGHUP");
    await stderr.manyRecords(n, ({ changes }) => changes !== undefined);
    // On a slow machine a handshake takes longer than a reload.
    await expect.poll(() => handshakes, { interval: 5, timeout: 10_000 }).toBeGreaterThanOrEqual(n);
  }
  use("renewed");
  kill("SIGHUP");
  await stderr.manyRecords(101, ({ changes }) => changes !== undefined);
  const { socket } = await openSession(url);
  const renewed = readFileSync(`${certs}/renewed.crt`, "utf8");
  expect(socket).toBeInstanceOf(TLSSocket);
  expect((socket as TLSSocket).getPeerX509Certificate()?.toString()).toBe(renewed);
  for (const load of loads) {
    const { responses, errors } = await load.stop();
    expect(errors).toEqual([]);
    expect(responses.length).toBeGreaterThanOrEqual(100);
    expect(new Set(responses.map(({ status, text }) => `${status} ${text}`))).toEqual(new Set(["200 hello"]));
  }
  expect(session.closed).toBe(false);
  kill("SIGTERM");
  expect(await ended).toEqual({ code: 0, signal: null });
});

test("SIGTERM loses no request in flight over HTTP/2, and announces the end with GOAWAY", async () => {
  const held: ServerResponse[] = [];
  const upstream = await startUpstream((_req, res) => void held.push(res));
  const { url, kill, ended, stderr } = await serve(anyPort + tls + poolOf(upstream.url));
  const session = await openSession(url);
  const idle = await openSession(url);
  const responses = Promise.all(Array.from({ length: 10 }, () => requestOver(session)));
  await expect.poll(() => held.length).toBe(10);
  const goaway = new Promise((resolve) => void session.once("goaway", resolve));
  const idleClosed = new Promise((resolve) => void idle.once("close", resolve));
  kill("SIGTERM");
  expect(await stderr.record(({ msg = "" }) => msg.startsWith("stopping"))).toMatchObject({ inFlight: 10 });
  await Promise.all([goaway, idleClosed]);
  for (const res of held) res.end("late but whole");
  for (const response of await responses) expect(response).toMatchObject({ status: 200, text: "late but whole" });
  expect(await ended).toEqual({ code: 0, signal: null });
});

test("the certificates of a configuration by server name, and a wrong one is named by its path", async () => {
  const folder = makeFolder();
  const other = path.join(folder, "other");
  copyFileSync(`${certs}/renewed.crt`, `${other}.crt`);
  copyFileSync(`${certs}/renewed.key`, `${other}.key`);
  const more = `[[server.tls.certificates]]\ncert = "${other}.crt"\nkey = "${other}.key"\n`;
  const { url, kill, stderr } = await serve(anyPort + tls + more + poolOf(nowhere));
  expect((await sendRequest(url)).status).toBe(502);
  writeFileSync(`${other}.key`, "rubbish");
  kill("SIGHUP");
  const { msg } = await stderr.record(({ level }) => level === "error");
  expect(msg).toContain(`${other}.key is not a key in PEM`);
  expect((await sendRequest(url)).status).toBe(502);
});
