import { createHash } from "node:crypto";
import http2, { type Http2Server, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { cert, key } from "../../support/certificates.ts";
import { until } from "../../support/event-loop.ts";
import { ask } from "../../support/exchanges.ts";
import { alpnTransport, h2cTransport } from "../../support/http2-transports.ts";
import { seededRandom } from "../../support/seeded-random.ts";

type OnStream = (stream: ServerHttp2Stream, headers: http2.IncomingHttpHeaders, flags: number, raw: string[]) => void;

/** A server of node:http2, over TLS and without. Gone when the test is over. */
async function nodeServer(onStream: OnStream, options: http2.ServerOptions = {}) {
  const sessions = new Set<http2.ServerHttp2Session>();
  const start = async (server: Http2Server | http2.Http2SecureServer) => {
    server.on("stream", onStream);
    server.on("session", (session) => {
      sessions.add(session);
      session.on("error", () => {});
      session.on("close", () => sessions.delete(session));
    });
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    onTestFinished(() => void server.close());
    return (server.address() as AddressInfo).port;
  };
  onTestFinished(() => {
    for (const session of sessions) session.destroy();
  });
  const plain = await start(http2.createServer(options));
  const secure = await start(http2.createSecureServer({ ...options, cert, key }));
  return { transports: [h2cTransport(plain), alpnTransport(secure)], sessions };
}

function ignoreErrors(stream: ServerHttp2Stream): ServerHttp2Stream {
  return stream.on("error", () => {});
}

describe("a server of node:http2", () => {
  test("reads the requests that we write, thousands of them over one connection", async () => {
    const { transports, sessions } = await nodeServer((stream, _headers, _flags, raw) => {
      ignoreErrors(stream);
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        stream.respond({ ":status": 200 });
        stream.end(JSON.stringify({ raw, body: Buffer.concat(chunks).toString("latin1") }));
      });
    });
    const random = seededRandom(3);
    const below = (limit: number) => Math.floor(random() * limit);
    const names = [
      "accept",
      "User-Agent",
      "cookie",
      "X-Any",
      "via",
      "authorization",
      "x-forwarded-host",
      "__proto__",
      "constructor",
    ];
    for (const transport of transports) {
      for (let round = 0; round < 30; round++) {
        const requests = Array.from({ length: 20 }, () => {
          const fields = Array.from({ length: below(8) }, () => [
            names[below(names.length)] as string,
            random() < 0.5
              ? `value ${below(4)}`
              : Array.from({ length: below(50) }, () => String.fromCharCode(0x21 + below(0x5e))).join(""),
          ]);
          const body = "b".repeat(random() < 0.5 ? 0 : below(2_000));
          return { headers: ["Host", `h${below(3)}`, ...fields.flat()], body, method: body === "" ? "GET" : "PUT" };
        });
        const exchanges = requests.map((request) => ask(transport, "/p?q", request));
        for (const [index, exchange] of exchanges.entries()) {
          const { headers, body, method } = requests[index] as (typeof requests)[number];
          const seen = JSON.parse((await exchange.ended()).body) as { raw: string[]; body: string };
          const regular = headers.slice(2).map((text, place) => (place % 2 === 0 ? text.toLowerCase() : text));
          const length = body === "" ? [] : ["content-length", String(body.length)];
          expect(seen.body).toBe(body);
          expect(seen.raw.filter((_, place) => place > 7)).toEqual([...regular, ...length]);
          expect(seen.raw.slice(0, 8)).toEqual([
            ":method",
            method,
            ":scheme",
            expect.stringMatching(/^https?$/),
            ":authority",
            headers[1],
            ":path",
            "/p?q",
          ]);
        }
      }
    }
    expect(sessions.size).toBe(2);
  });

  test("writes responses that we read: fields, Huffman codes, the dynamic table", async () => {
    const random = seededRandom(4);
    const below = (limit: number) => Math.floor(random() * limit);
    const sent: [string, string][][] = [];
    const { transports } = await nodeServer((stream) => {
      const fields = Array.from({ length: below(12) }, (): [string, string] => [
        `x-${below(6)}-${below(3)}`,
        random() < 0.5
          ? `value ${below(4)}`
          : Array.from({ length: 1 + below(60) }, () => String.fromCharCode(0x21 + below(0x5e))).join(""),
      ]);
      sent.push(fields);
      const headers: Record<string, string[]> = {};
      for (const [name, value] of fields) headers[name] = [...(headers[name] ?? []), value];
      ignoreErrors(stream).respond({ ":status": 200, ...headers });
      stream.end();
    });
    for (const transport of transports) {
      for (let count = 0; count < 500; count++) {
        const { headers } = await ask(transport, "/").ended();
        const pairs = Array.from({ length: headers.length / 2 }, (_, index) => [
          headers[index * 2],
          headers[index * 2 + 1],
        ]);
        expect(
          pairs
            .filter(([name]) => name !== "date")
            .map(String)
            .sort(),
        ).toEqual((sent.shift() ?? []).map(String).sort());
      }
    }
  });

  test("takes and gives bodies of any size, many at once", async () => {
    const { transports } = await nodeServer((stream, headers) => {
      ignoreErrors(stream).respond({
        ":status": 200,
        ...(headers["x-length"] !== undefined && { "content-length": String(headers["x-length"]) }),
      });
      stream.pipe(stream);
    });
    const hashOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
    for (const transport of transports) {
      const bodies = [0, 1, 16_383, 16_384, 16_385, 65_535, 65_536, 300_000, 2_000_000].map((size) =>
        Buffer.alloc(size, `${size} `),
      );
      const exchanges = bodies.flatMap((body) =>
        [body.length, -1].map((bodyLength) =>
          ask(transport, "/", {
            method: "POST",
            body: [body],
            bodyLength,
            headers: ["Host", "a", "X-Length", String(body.length)],
          }),
        ),
      );
      for (const [index, exchange] of exchanges.entries()) {
        const { phase, bytes } = await exchange.ended();
        expect([phase, hashOf(bytes)]).toEqual(["complete", hashOf(bodies[index >> 1] as Buffer)]);
      }
    }
  });

  test("may use every setting: small windows, small and no tables, few streams, large frames", async () => {
    for (const settings of [
      { initialWindowSize: 10 },
      { headerTableSize: 0 },
      { headerTableSize: 100 },
      { headerTableSize: 65_536 },
      { maxConcurrentStreams: 2 },
      { maxFrameSize: 100_000, initialWindowSize: 1_000_000 },
    ]) {
      const { transports } = await nodeServer(
        (stream) => {
          ignoreErrors(stream).respond({ ":status": 200, "x-name": "value" });
          stream.pipe(stream);
        },
        { settings },
      );
      for (const transport of transports) {
        const exchanges = Array.from({ length: 20 }, (_, index) =>
          ask(transport, "/", { method: "POST", body: `${index} `.repeat(200) }),
        );
        for (const [index, exchange] of exchanges.entries()) {
          expect(await exchange.ended()).toMatchObject({ phase: "complete", body: `${index} `.repeat(200) });
        }
      }
    }
  });

  test("sends early hints, trailers, and both", async () => {
    const { transports } = await nodeServer((stream) => {
      ignoreErrors(stream).additionalHeaders({ ":status": 103, link: "</a>" });
      stream.respond({ ":status": 200 }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "1", "grpc-status": "0" }));
      stream.end("body");
    });
    for (const transport of transports) {
      const exchange = await ask(transport, "/").ended();
      expect(exchange).toMatchObject({ phase: "complete", body: "body", trailers: ["x-sum", "1", "grpc-status", "0"] });
      expect(exchange.informations).toEqual([[103, ["link", "</a>"]]]);
    }
  });

  const deaths: [string, (stream: ServerHttp2Stream) => void][] = [
    ["stream.close()", (stream) => stream.close()],
    ["stream.close(CANCEL)", (stream) => stream.close(http2.constants.NGHTTP2_CANCEL)],
    ["stream.destroy()", (stream) => void stream.destroy()],
    ["stream.destroy(error)", (stream) => void stream.destroy(new Error("broken"))],
    ["session.destroy()", (stream) => stream.session?.destroy()],
    ["session.destroy(error)", (stream) => stream.session?.destroy(new Error("broken"))],
  ];

  test.each(deaths)("breaks a body off by %s, and it never passes for whole", async (name, die) => {
    // `close` sends END_STREAM first: only the length shows that something is missing.
    for (const head of [...(name.startsWith("stream.close") ? [] : [{}]), { "content-length": "100" }]) {
      const { transports } = await nodeServer((stream) => {
        ignoreErrors(stream).respond({ ":status": 200, ...head });
        stream.write("half");
        setImmediate(() => die(stream));
      });
      for (const transport of transports) {
        for (let count = 0; count < 10; count++) {
          const { failure, status } = await ask(transport, "/").ended();
          expect(failure?.code).toBe(status === 0 ? "reset" : "response_truncated");
        }
      }
    }
  });

  test("closes its sessions gracefully, under load, and no response is lost", async () => {
    let served = 0;
    const { transports } = await nodeServer((stream) => {
      ignoreErrors(stream);
      stream.resume().on("end", () => {
        if (stream.destroyed) return;
        stream.respond({ ":status": 200 });
        stream.end("fine");
        if (++served % 7 === 0) stream.session?.close();
      });
    });
    for (const transport of transports) {
      for (let round = 0; round < 20; round++) {
        const exchanges = Array.from({ length: 10 }, () => ask(transport, "/", { method: "POST", body: "x" }));
        for (const exchange of exchanges) {
          await exchange.ended();
          // A request that failed was not processed.
          if (exchange.phase === "failed") expect(exchange.failure).toMatchObject({ code: "reset", sent: false });
        }
      }
    }
    expect(served).toBeGreaterThan(100);
  });

  test("answers before it has read the body, and goes on with the next request", async () => {
    const { transports, sessions } = await nodeServer((stream) => {
      ignoreErrors(stream).respond({ ":status": 413 });
      stream.end("too large");
    });
    for (const transport of transports) {
      for (let count = 0; count < 10; count++) {
        const exchange = ask(transport, "/", { method: "POST", body: Buffer.alloc(200_000), bodyLength: -1 });
        expect(await exchange.ended()).toMatchObject({ phase: "complete", status: 413, body: "too large" });
      }
    }
    expect(sessions.size).toBe(2);
  });

  test("sees it when a client leaves", async () => {
    let gone = 0;
    const { transports } = await nodeServer((stream) => {
      ignoreErrors(stream).respond({ ":status": 200 });
      stream.write("hello");
      stream.on("close", () => gone++);
    });
    for (const transport of transports) {
      const exchange = ask(transport, "/");
      await exchange.until(() => exchange.body === "hello");
      exchange.exchange.abort();
    }
    await until(() => gone === 2);
  });
});
