import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { outbound } from "../../src/outbound/outbound.ts";
import { Pool } from "../../src/pool/pool.ts";
import { standstill } from "../support/event-loop.ts";
import { heldBytes } from "../support/memory.ts";
import { refusingUrl } from "../support/refusing-port.ts";
import { bodyOf, startRawUpstream, startUpstream } from "../support/start-upstream.ts";

const mebibyte = 1_048_576;
const piece = Buffer.alloc(65_536, "x");

/** A stream of `total` bytes, produced on demand. `made` counts them. */
function stream(total: number) {
  const count = { made: 0 };
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (count.made >= total) return controller.close();
      count.made += piece.length;
      controller.enqueue(new Uint8Array(piece));
    },
  });
  return { body, count };
}

function poolOf(...urls: string[]) {
  return new Pool("api", { upstreams: urls, balance: "first" });
}

const streaming = (body: ReadableStream | AsyncIterable<Uint8Array>) =>
  ({ method: "PUT", body, duplex: "half" }) as RequestInit;

describe("bodies", () => {
  test("100 MB are sent and received completely in bounded memory", async () => {
    const upstream = await startUpstream("echo", (req, res) => void req.pipe(res));
    const pool = poolOf(upstream.url);
    const before = heldBytes();
    const response = await outbound(pool).fetch("/", {
      ...streaming(stream(100 * mebibyte).body),
      // Otherwise fetch keeps a copy for a redirect.
      redirect: "error",
    });
    const hash = createHash("sha1");
    let [bytes, growth, weighed] = [0, 0, 0];
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      hash.update(chunk);
      bytes += chunk.length;
      if (bytes < weighed + 10 * mebibyte) continue;
      weighed = bytes;
      growth = Math.max(growth, heldBytes() - before);
    }
    const expected = createHash("sha1");
    for (let count = 0; count < (100 * mebibyte) / piece.length; count++) expected.update(piece);
    expect([bytes, hash.digest("hex")]).toEqual([100 * mebibyte, expected.digest("hex")]);
    expect(growth).toBeLessThan(16 * mebibyte);
    expect(pool.snapshot()).toMatchObject({ bytesIn: 100 * mebibyte, bytesOut: 100 * mebibyte });
    pool.close();
  });

  test("a request body is paused while the upstream does not read", async () => {
    const upstream = await startRawUpstream((socket) => void socket.pause());
    const pool = poolOf(upstream.url);
    const { body, count } = stream(100 * mebibyte);
    const aborter = new AbortController();
    const sent = outbound(pool).fetch("/", { ...streaming(body), signal: aborter.signal });
    await standstill(() => count.made);
    expect(count.made).toBeGreaterThan(0);
    expect(count.made).toBeLessThan(16 * mebibyte);
    aborter.abort();
    await expect(sent).rejects.toMatchObject({ name: "AbortError" });
    pool.close();
  });

  test("a response is paused while the app does not read", async () => {
    const count = { sent: 0 };
    const upstream = await startUpstream("up", (_req, res) => {
      const go = () => {
        while (count.sent < 100 * mebibyte) {
          count.sent += piece.length;
          if (!res.write(piece)) return void res.once("drain", go);
        }
        res.end();
      };
      go();
    });
    const pool = poolOf(upstream.url);
    const response = await outbound(pool).fetch("/");
    await standstill(() => count.sent);
    expect(count.sent).toBeLessThan(32 * mebibyte);
    expect((await response.arrayBuffer()).byteLength).toBe(100 * mebibyte);
    pool.close();
  });

  test("a stream is complete after connect failures", async () => {
    const upstream = await startUpstream("up", (req, res) => {
      void bodyOf(req).then((body) => res.end(`${req.headers["transfer-encoding"]} ${body.length}`));
    });
    const pool = poolOf(await refusingUrl(), upstream.url);
    const response = await outbound(pool).fetch("/", streaming(stream(2 * mebibyte).body));
    expect(await response.text()).toBe(`chunked ${2 * mebibyte}`);
    pool.close();
  });

  test("a body within the copy limit is sent again, a longer one is not", async () => {
    const broken = await startRawUpstream((socket, _head, rest) => {
      if (rest.length > 0) socket.resetAndDestroy();
      else socket.once("data", () => void socket.resetAndDestroy());
    });
    const upstream = await startUpstream("up", (req, res) => void bodyOf(req).then((body) => res.end(body)));
    const pool = new Pool("api", {
      upstreams: [broken.url, upstream.url],
      balance: "first",
      retry: { bodyBuffer: "64kb" },
    });
    const { fetch } = outbound(pool);
    async function* small() {
      yield Buffer.from("one ");
      yield Buffer.from("two");
    }
    expect(await (await fetch("/", streaming(small()))).text()).toBe("one two");
    const large = fetch("/", streaming(stream(2 * mebibyte).body));
    await expect(large).rejects.toMatchObject({ cause: { code: "reset" } });
    expect(upstream.received).toHaveLength(1);
    pool.close();
  });

  test("an error of the body aborts the request", async () => {
    const upstream = await startUpstream("up", (req) => void req.on("error", () => {}));
    const pool = poolOf(upstream.url);
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from("some");
        throw new Error("no more");
      })(),
    );
    await expect(outbound(pool).fetch("/", streaming(broken))).rejects.toThrow();
    expect(pool.inFlight).toBe(0);
    expect(pool.snapshot().upstreams[0]?.lastFailure).toBeNull();
    pool.close();
  });

  test("a truncated response never looks complete", async () => {
    const upstream = await startRawUpstream((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n", () =>
        setImmediate(() => socket.end()),
      );
    });
    const pool = new Pool("api", { upstreams: [upstream.url], retry: { attempts: 0 } });
    const text = outbound(pool)
      .fetch("/")
      .then((response) => response.text());
    await expect(text).rejects.toMatchObject({ cause: { code: "response_truncated" } });
    pool.close();
  });

  test("a response that arrives before the body has been read is passed on", async () => {
    const upstream = await startUpstream("up", (_req, res) => void res.writeHead(413).end("too large"));
    const pool = poolOf(upstream.url);
    const { body, count } = stream(100 * mebibyte);
    const response = await outbound(pool).fetch("/", streaming(body));
    expect([response.status, await response.text()]).toEqual([413, "too large"]);
    expect(count.made).toBeLessThan(16 * mebibyte);
    pool.close();
  });
});
