import { describe, expect, test } from "vitest";
import { fetchFrom, rawClient } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { startProxy } from "../support/start-proxy.ts";
import { startRawUpstream, startUpstream } from "../support/start-upstream.ts";
import { handshake, startEcho } from "../support/web-sockets.ts";

describe("what is no handshake", () => {
  test.each<[string, string]>([
    ["without a key", handshake().replace(/Sec-WebSocket-Key: .*\r\n/, "")],
    ["with a key that is none", handshake().replace(/Sec-WebSocket-Key: .*\r\n/, "Sec-WebSocket-Key: short\r\n")],
    ["of another version", handshake().replace("Version: 13", "Version: 8")],
    ["with a body", handshake("/", ["Content-Length: 5"]).concat("hello")],
    ["among other protocols", handshake().replace("Upgrade: websocket", "Upgrade: proto1, websocket, proto2")],
  ])("%s is 400 and ends the connection", async (_name, bytes) => {
    const upstream = await startEcho();
    const { port, finished } = await startProxy({ upstreams: [upstream.url] });
    const { text } = await (await rawClient(port, bytes)).over();
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(upstream.received).toHaveLength(0);
    expect((await finished(1))[0]).toMatchObject({ status: 400, error: "bad_request", attempts: [] });
  });

  test("is an ordinary request without its Upgrade, and the connection ends with the answer", async () => {
    const upstream = await startUpstream("a");
    const { port, finished } = await startProxy({ upstreams: [upstream.url] });
    const lines = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__";
    const { text } = await (await rawClient(port, `GET /x HTTP/1.1\r\nHost: h\r\n${lines}\r\n\r\n`)).over();
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\ba\b/);
    expect(upstream.received[0]?.rawHeaders.some((name) => /^(?:upgrade|http2-settings)$/i.test(name))).toBe(false);
    expect((await finished(1))[0]).toMatchObject({ status: 200 });
  });

  test.each(["end", "reset"])("ends with its client, that leaves by a %s", async (how) => {
    const upstream = await startRawUpstream((socket) => void socket.on("end", () => socket.end()));
    const { port, finished } = await startProxy({ upstreams: [upstream.url] });
    const client = await rawClient(port, "GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    await until(() => upstream.heads.length === 1);
    if (how === "end") client.socket.destroy();
    else client.socket.resetAndDestroy();
    expect((await finished(1))[0]).toMatchObject({ status: 499, error: "client_aborted" });
  });

  test.each(["end", "reset"])("ends with its client, that leaves by a %s in the middle of the body", async (how) => {
    const upstream = await startRawUpstream((socket) => void socket.on("end", () => socket.end()));
    const { port, finished } = await startProxy({ upstreams: [upstream.url] });
    const lines = "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 10";
    const client = await rawClient(port, `POST /x HTTP/1.1\r\nHost: h\r\n${lines}\r\n\r\nhello`);
    await until(() => upstream.heads.length === 1);
    if (how === "end") client.socket.end();
    else client.socket.resetAndDestroy();
    expect((await finished(1))[0]).toMatchObject({ status: 499, error: "client_aborted" });
    await until(() => upstream.sockets.size === 0);
  });

  test("whose body stops coming is 408", async () => {
    const upstream = await startRawUpstream((socket) => void socket.on("end", () => socket.end()));
    const { port, finished } = await startProxy({ upstreams: [upstream.url], requestBodyTimeout: "60ms" });
    const lines = "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 10";
    const client = await rawClient(port, `POST /x HTTP/1.1\r\nHost: h\r\n${lines}\r\n\r\nhello`);
    expect((await client.over()).text).toMatch(/^HTTP\/1\.1 408 /);
    expect((await finished(1))[0]).toMatchObject({ status: 408, error: "request_timeout" });
  });

  test("behind a request that still waits for its answer breaks nothing but its own connection", async () => {
    const upstream = await startRawUpstream(() => {});
    const { port, finished } = await startProxy({ upstreams: [upstream.url] });
    const client = await rawClient(port, `GET /slow HTTP/1.1\r\nHost: h\r\n\r\n${handshake("/ws")}`);
    await client.over();
    const statuses = (await finished(2)).map(({ url, status }) => `${url} ${status}`).sort();
    expect(statuses).toEqual(["/slow 499", "/ws 400"]);
    upstream.kill().catch(() => {});
    expect((await fetchFrom(`http://127.0.0.1:${port}`)).status).toBe(502);
  });
});
