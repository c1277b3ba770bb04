import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from "node:http2";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Agent } from "undici";
import { describe, expect, onTestFinished, test } from "vitest";
import { cert, key } from "../support/certificates.ts";
import { large, serveClients, sha256 } from "../support/client-programs.ts";
import { until } from "../support/event-loop.ts";
import { serve } from "../support/serve.ts";
import { closeCode, connectSocket, echo, startEcho } from "../support/web-sockets.ts";

describe.each(["http", "https"] as const)("over %s", (scheme) => {
  async function start() {
    const { plain, secure } = await serveClients();
    return scheme === "https" ? secure : plain;
  }

  test("Node's fetch", async () => {
    const { url, requests } = await start();
    const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
    onTestFinished(() => dispatcher.destroy());
    // Node's types are those of another version of undici.
    const fetchOf = (path: string, options: object = {}) =>
      fetch(url + path, { ...options, dispatcher } as unknown as RequestInit);
    expect(await (await fetchOf("/")).text()).toBe(`GET ${scheme}`);
    expect((await fetchOf("/empty")).status).toBe(204);
    expect(sha256(Buffer.from(await (await fetchOf("/large")).arrayBuffer()))).toBe(sha256(large));
    expect(await (await fetchOf("/hash", { method: "POST", body: large })).text()).toBe(sha256(large));
    const body = new Blob([large]).stream();
    expect(await (await fetchOf("/hash", { method: "POST", body, duplex: "half" })).text()).toBe(sha256(large));
    await expect(fetchOf("/half").then((response) => response.text())).rejects.toThrow("terminated");
    const aborted = new AbortController();
    const response = await fetchOf("/large", { signal: aborted.signal });
    aborted.abort();
    await expect(response.text()).rejects.toThrow("aborted");
    const texts = await Promise.all(Array.from({ length: 50 }, async () => (await fetchOf("/")).text()));
    expect(new Set(texts)).toEqual(new Set([`GET ${scheme}`]));
    await until(() => requests.length === 57);
    expect(new Set(requests.map(({ protocol }) => protocol))).toEqual(new Set(["HTTP/1.1"]));
  });

  test("the client of node:http2", async () => {
    const { url, requests } = await start();
    const session = connect(url, { rejectUnauthorized: false });
    onTestFinished(async () => {
      // Within a callback of nghttp2, where a test may end, this never returns in Node 20.
      await nextTurn();
      session.destroy();
    });
    expect(await exchange(session, { ":path": "/" })).toMatchObject({
      status: 200,
      body: Buffer.from(`GET ${scheme}`),
    });
    expect(await exchange(session, { ":path": "/empty" })).toMatchObject({ status: 204, body: Buffer.alloc(0) });
    expect((await exchange(session, { ":path": "/large" })).body.equals(large)).toBe(true);
    const upload = await exchange(session, { ":path": "/hash", ":method": "POST" }, large);
    expect(String(upload.body)).toBe(sha256(large));
    const { informational, trailers } = await exchange(session, { ":path": "/hints", te: "trailers" });
    expect(informational).toMatchObject([{ ":status": 103, link: "</style.css>; rel=preload" }]);
    expect(trailers).toMatchObject({ "x-sum": "12" });
    await expect(exchange(session, { ":path": "/half" })).rejects.toMatchObject({
      message: expect.stringContaining("NGHTTP2_INTERNAL_ERROR"),
    });
    const aborted = session.request({ ":path": "/large" });
    aborted.on("error", () => {});
    await new Promise((resolve) => void aborted.once("response", resolve));
    aborted.close(constants.NGHTTP2_CANCEL);
    const bodies = await Promise.all(
      Array.from({ length: 200 }, async () => String((await exchange(session, { ":path": "/" })).body)),
    );
    expect(new Set(bodies)).toEqual(new Set([`GET ${scheme}`]));
    await until(() => requests.length === 207);
    expect(new Set(requests.map(({ protocol }) => protocol))).toEqual(new Set(["HTTP/2.0"]));
    expect(requests.filter(({ error }) => error !== undefined).map(({ error }) => error)).toEqual([
      "response_truncated",
      "client_aborted",
    ]);
  });

  test("ws", async () => {
    const upstream = await startEcho();
    const { url } = await serve({ upstreams: [upstream.url] }, scheme === "https" ? { tls: { cert, key } } : {});
    const socket = await connectSocket(url, ["a", "b"], { rejectUnauthorized: false });
    expect(socket.protocol).toBe("b");
    expect(await echo(socket, "hellö")).toEqual({ data: Buffer.from("hellö"), binary: false });
    const { data, binary } = await echo(socket, large);
    expect([data.equals(large), binary]).toEqual([true, true]);
    const pong = new Promise((resolve) => void socket.once("pong", resolve));
    socket.ping("ping");
    expect(String(await pong)).toBe("ping");
    socket.close(4_321, "enough");
    expect(await closeCode(socket)).toBe(4_321);
  });
});

interface Received {
  readonly status: number | undefined;
  readonly informational: readonly IncomingHttpHeaders[];
  readonly trailers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Rejects if the stream was reset. */
function exchange(session: ClientHttp2Session, headers: Record<string, string>, body?: Buffer): Promise<Received> {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers, { endStream: body === undefined });
    const informational: IncomingHttpHeaders[] = [];
    const chunks: Buffer[] = [];
    let status: number | undefined;
    let trailers: IncomingHttpHeaders = {};
    stream.on("headers", (one) => informational.push(one));
    stream.on("response", (head) => {
      status = head[":status"];
    });
    stream.on("trailers", (one) => {
      trailers = one;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("end", () => resolve({ status, informational, trailers, body: Buffer.concat(chunks) }));
    if (body !== undefined) stream.end(body);
  });
}
