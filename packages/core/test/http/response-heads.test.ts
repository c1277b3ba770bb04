import { once } from "node:events";
import { createServer as createHttp2Server } from "node:http2";
import { describe, expect, onTestFinished, test } from "vitest";
import { fetchFrom, rawClient } from "../support/client.ts";
import { startProxy } from "../support/start-proxy.ts";
import { startRawUpstream } from "../support/start-upstream.ts";
import { handshake } from "../support/web-sockets.ts";

/** A head with a value of so many bytes. */
const ofSize = (bytes: number, status = "200 OK") =>
  `HTTP/1.1 ${status}\r\nContent-Length: 2\r\nX-Large: ${"x".repeat(bytes)}\r\n\r\nok`;

/** A head with so many fields beside its length. */
const ofFields = (count: number) => `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${"A: b\r\n".repeat(count)}\r\nok`;

async function answers(head: string, connections: object = {}) {
  const upstream = await startRawUpstream((socket) => void socket.write(head, "latin1"));
  const { port, url, proxy, finished } = await startProxy({ upstreams: [upstream.url], connections });
  return { port, url, proxy, finished };
}

describe("the head of a response", () => {
  test.each<[string, string, object, number]>([
    ["16 KiB by default", ofSize(16_000), {}, 200],
    ["no more by default", ofSize(16_400), {}, 502],
    ["what the pool allows", ofSize(200_000), { maxResponseHeaderSize: "256kb" }, 200],
    ["no more than the pool allows", ofSize(33_000), { maxResponseHeaderSize: "32kb" }, 502],
    ["less, where the pool allows less", ofSize(3_000), { maxResponseHeaderSize: "2kb" }, 502],
    ["200 fields by default", ofFields(199), {}, 200],
    ["no more fields by default", ofFields(200), {}, 502],
    ["as many fields as the pool allows", ofFields(1_500), { maxResponseHeaders: 2_000 }, 200],
    ["no more fields than the pool allows", ofFields(10), { maxResponseHeaders: 10 }, 502],
  ])("may have %s", async (_what, head, connections, status) => {
    const { port, finished } = await answers(head, connections);
    const client = await rawClient(port, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    const { text } = await client.over();
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    if (status === 200) expect(text.length).toBeGreaterThan(head.length);
    expect((await finished(1))[0]?.error).toBe(status === 502 ? "response_headers_too_large" : undefined);
  });

  test("of a handshake that is refused has the same limits", async () => {
    const large = ofSize(40_000, "403 Forbidden");
    for (const [connections, status] of [
      [{ maxResponseHeaderSize: "64kb" }, 403],
      [{}, 502],
    ] as const) {
      const { port } = await answers(large, connections);
      expect((await (await rawClient(port, handshake())).over()).text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    }
  });

  test("over HTTP/2 has the same limits", async () => {
    const server = createHttp2Server({ maxSendHeaderBlockLength: 200_000 });
    server.on("stream", (stream) => {
      stream.respond({ ":status": 200, "x-large": "x".repeat(100_000) });
      stream.end("ok");
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    for (const [maxResponseHeaderSize, status] of [
      ["128kb", 200],
      ["64kb", 502],
    ] as const) {
      const connections = { http2: "h2c", maxResponseHeaderSize } as const;
      const { url } = await startProxy({ upstreams: [`http://127.0.0.1:${port}`], connections });
      expect((await fetchFrom(url, { maxHeaderSize: 200_000 })).status).toBe(status);
    }
  });
});

test.each([600, 799, 999])("a status of %i passes with its body, and is counted", async (status) => {
  const { url, proxy, finished } = await answers(`HTTP/1.1 ${status} Own\r\nContent-Length: 2\r\n\r\nok`);
  expect(await fetchFrom(url)).toMatchObject({ status, statusText: "Own", text: "ok" });
  expect((await finished(1))[0]).toMatchObject({ status, error: undefined });
  expect(proxy.snapshot().requests).toMatchObject([{ code: status }]);
});

test("a handshake that is refused with a status of 999 is", async () => {
  const { port, finished } = await answers("HTTP/1.1 999 Own\r\nContent-Length: 2\r\n\r\nok");
  expect((await (await rawClient(port, handshake())).over()).text).toMatch(/^HTTP\/1\.1 999 Own\r\n[^]*ok$/);
  expect((await finished(1))[0]).toMatchObject({ status: 999, error: undefined });
});

test("a 103 that announces the end of its connection is relayed, and the final response is waited for", async () => {
  let connections = 0;
  const upstream = await startRawUpstream((socket) => {
    connections++;
    socket.write("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: close\r\n\r\n");
    setImmediate(() => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
  });
  const { port, finished } = await startProxy({ upstreams: [upstream.url], connections: { max: 1 } });
  for (const round of [1, 2]) {
    const client = await rawClient(port, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    const { text } = await client.over();
    expect(text).toMatch(
      /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a>\r\nVia: 1\.1 evenkeel\r\n\r\nHTTP\/1\.1 200 OK\r\n/,
    );
    expect(text).toMatch(/ok$/);
    expect(connections).toBe(round);
  }
  expect((await finished(2)).map(({ error }) => error)).toEqual([undefined, undefined]);
});
