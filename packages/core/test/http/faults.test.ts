import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { begin, fetchFrom, rawClient, responseTo } from "../support/client.ts";
import { startProxy } from "../support/start-proxy.ts";
import { startRawUpstream, startUpstream } from "../support/start-upstream.ts";

/** A proxy over one upstream that says exactly this and then does as told. */
async function saying(bytes: string, then: (socket: Socket) => void = () => {}) {
  const upstream = await startRawUpstream((socket) => {
    socket.write(Buffer.from(bytes, "latin1"), () => then(socket));
  });
  const started = await startProxy({ upstreams: [upstream.url], retry: { attempts: 0 } });
  return { ...started, upstream };
}

const end = (socket: Socket) => void socket.end();
const reset = (socket: Socket) => void socket.resetAndDestroy();

test("an answer may come a byte at a time", async () => {
  const bytes = "HTTP/1.1 203 Fine\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  const upstream = await startRawUpstream((socket) => {
    socket.setNoDelay(true);
    const sendFrom = (index: number) => {
      if (index < bytes.length) socket.write(bytes.slice(index, index + 1), () => setImmediate(sendFrom, index + 1));
    };
    sendFrom(0);
  });
  const { url } = await startProxy({ upstreams: [upstream.url] });
  const { status, statusText, headers, text } = await fetchFrom(url);
  expect([status, statusText, headers["x-a"], text]).toEqual([203, "Fine", "1", "hello"]);
});

describe("an answer that cannot be right is 502", () => {
  test.each<[string, string]>([
    ["no HTTP", "SSH-2.0-OpenSSH_9.6\r\n"],
    ["a TLS alert", "\x15\x03\x01\x00\x02\x02\x28"],
    ["nothing at all", ""],
    ["a status of two digits", "HTTP/1.1 99 x\r\n\r\n"],
    ["a status of four digits", "HTTP/1.1 1000 x\r\n\r\n"],
    ["no space behind the status", "HTTP/1.1 200OK\r\n\r\n"],
    ["a length and a coding", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"],
    ["a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: foo\r\n\r\n"],
    ["a coding that is not chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: foo\r\n\r\n"],
    ["a folded line", "HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n"],
    ["a control character in a value", "HTTP/1.1 200 OK\r\nX-A: \x01\r\nContent-Length: 0\r\n\r\n"],
    ["a control character in the reason", "HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n"],
    ["a 101 that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"],
    ["a head that is too large", `HTTP/1.1 200 OK\r\nX-A: ${"a".repeat(20_000)}\r\n\r\n`],
    ["a head without an end", "HTTP/1.1 200 OK\r\nX-A: 1\r\n"],
  ])("%s", async (_name, bytes) => {
    const { url, finished } = await saying(bytes, end);
    const { status, headers } = await fetchFrom(url);
    expect(status).toBe(502);
    expect(headers["proxy-status"]).toMatch(/^evenkeel; error=/);
    const [event] = await finished(1);
    expect(event?.attempts).toHaveLength(1);
    expect(event).toMatchObject({ status: 502, upstream: expect.any(String) });
  });
});

describe("an upstream that dies within the body", () => {
  const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";
  const length = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";

  test.each<[string, string, (socket: Socket) => void]>([
    ["in chunks, by an end", chunked, end],
    ["in chunks, by a reset", chunked, reset],
    ["in the middle of a chunk", `${chunked}ff\r\nmore`, end],
    ["in a chunk's size", `${chunked}f`, end],
    ["before the last empty line", `${chunked}0\r\n`, end],
    ["with a length, by an end", length, end],
    ["with a length, by a reset", length, reset],
  ])("is cut off for the client too, %s", async (_name, bytes, how) => {
    const { port, finished } = await saying(bytes, how);
    const client = await rawClient(port, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    const { text } = await client.over();
    // A reset may overtake what was sent before it; what must not be seen is an end in good order.
    if (text !== "") expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    if (/^Transfer-Encoding: chunked\r$/im.test(text)) expect(text).not.toMatch(/\r\n0\r\n\r\n$/);
    else if (text !== "") expect(text).toMatch(/Content-Length: 10\r\n[^]*\r\n\r\n(?:half)?$/);
    const [event] = await finished(1);
    expect(event).toMatchObject({ status: 200, error: "response_truncated", flags: ["truncated"] });
    expect(event?.attempts).toMatchObject([{ status: 200, error: "response_truncated" }]);
  });

  test("is cut off for the client too, by a size that is none", async () => {
    const { port, finished, upstream } = await saying(chunked);
    const client = await rawClient(port, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    await client.until(/half/);
    for (const socket of upstream.sockets) socket.write("zz\r\n");
    const { text } = await client.over();
    expect(text).not.toMatch(/\r\n0\r\n\r\n$/);
    expect((await finished(1))[0]).toMatchObject({ status: 200, error: "response_truncated", flags: ["truncated"] });
  });

  test("is 502 when it breaks with the very bytes that it came in: nothing has been passed on yet", async () => {
    const { port, finished } = await saying(`${chunked}zz\r\n`, () => {});
    const client = await rawClient(port, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    expect((await client.over()).text).toMatch(/^HTTP\/1\.1 502 /);
    expect((await finished(1))[0]).toMatchObject({ status: 502, error: "response_truncated", bytesOut: 37 });
  });

  test.each<[string, string]>([
    ["in chunks", chunked],
    ["with a length", length],
    ["that lasts until the end", "HTTP/1.0 200 OK\r\n\r\nhalf"],
  ])("resets the connection of an HTTP/1.0 client, %s", async (_name, bytes) => {
    const { port, finished, upstream } = await saying(bytes);
    const client = await rawClient(port, "GET / HTTP/1.0\r\nHost: h\r\n\r\n");
    // Read first: a reset that comes together with data is told as an end by Node.
    await client.until(/half/);
    for (const socket of upstream.sockets) socket.resetAndDestroy();
    expect((await client.over()).how).toBe("reset");
    expect((await finished(1))[0]).toMatchObject({ error: "response_truncated", flags: ["truncated"] });
  });

  test("is an error for a client that parses", async () => {
    const { url } = await saying(chunked, reset);
    await expect(fetchFrom(url)).rejects.toMatchObject({ code: "ECONNRESET" });
  });

  test("a body that only the end of the connection ends is whole", async () => {
    const { url, finished } = await saying("HTTP/1.0 200 OK\r\n\r\nall of it", end);
    expect((await fetchFrom(url)).text).toBe("all of it");
    expect((await finished(1))[0]).toMatchObject({ status: 200, error: undefined, flags: [] });
  });
});

describe("an upstream that says too much", () => {
  test.each<[string, string, string]>([
    ["behind a length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"],
    ["behind a 204", "GET", "HTTP/1.1 204 No Content\r\n\r\n"],
    ["behind a 304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n"],
    ["behind the answer to a HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"],
  ])("poisons nobody, %s", async (_name, method, bytes) => {
    const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    const { url } = await saying(`${bytes}${evil}`);
    for (let round = 0; round < 10; round++) {
      const { text, status } = await fetchFrom(url, { method });
      expect(text).not.toContain("evil");
      expect(status).toBe(Number(bytes.slice(9, 12)));
    }
  });
});

describe("informational answers", () => {
  test("103 is relayed, 100 is not, and the last one counts", async () => {
    const hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: x-b\r\nX-B: 1\r\n\r\n";
    const { port } = await saying(
      `HTTP/1.1 100 Continue\r\n\r\n${hints}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`,
    );
    const client = await rawClient(port, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    const { text } = await client.over();
    const [early = "", final = ""] = text.split("\r\n\r\n");
    expect(early.split("\r\n")).toEqual([
      "HTTP/1.1 103 Early Hints",
      "Link: </a.css>; rel=preload",
      "Via: 1.1 evenkeel",
    ]);
    expect(final).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  test("are kept from an HTTP/1.0 client", async () => {
    const { port } = await saying("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    const client = await rawClient(port, "GET / HTTP/1.0\r\nHost: h\r\n\r\n");
    expect((await client.over()).text).toMatch(/^HTTP\/1\.1 200 OK/);
  });
});

test("a client whose request is answered locally may go on using its connection, unless its body is in the way", async () => {
  const { port } = await startProxy({ pools: { p: { upstreams: [] } }, routes: [{ path: "/api", pool: "p" }] });
  const client = await rawClient(port, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
  await client.until(/404 Not Found[^]*\(no_route\)\n/);
  client.socket.write("GET /y HTTP/1.1\r\nHost: h\r\n\r\n");
  await client.until(/404 Not Found[^]*404 Not Found[^]*\(no_route\)\n[^]*\(no_route\)\n/);
  client.socket.write(
    "POST /z HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
  );
  const { text } = await client.over();
  expect(text.match(/HTTP\/1\.1 404/g)).toHaveLength(3);
  expect(text).toMatch(/Connection: close/i);
});

test("a request that begins while the answer to another is awaited is answered in its turn", async () => {
  const upstream = await startUpstream("a", (req, res) => void res.end(`<${req.url}>`));
  const { port } = await startProxy({ upstreams: [upstream.url] });
  const paths = Array.from({ length: 50 }, (_, index) => `/${index}`);
  const client = await rawClient(port, paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`).join(""));
  const text = await client.until(/<\/49>/);
  expect(text.match(/<\/\d+>/g)).toEqual(paths.map((path) => `<${path}>`));
  const response = await responseTo(begin(`http://127.0.0.1:${port}/x`).end());
  response.resume();
  expect(response.statusCode).toBe(200);
});
