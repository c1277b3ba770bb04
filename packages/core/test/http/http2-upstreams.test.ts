/** What a client sees, what is retried and what is counted when an upstream speaks HTTP/2. */

import { describe, expect, test } from "vitest";
import type { OnePoolOptions } from "../../src/config/options.ts";
import { errorCode } from "../../src/http2/protocol.ts";
import { cert, key } from "../support/certificates.ts";
import { fetchFrom } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { data, type FrameRequest, frameServer, goaway, headers, reset, respond } from "../support/frame-server.ts";
import { StrictClient } from "../support/raw-client.ts";
import { startProxy } from "../support/start-proxy.ts";

const ok = [[":status", "200"]] as const;
const noRetries: OnePoolOptions["retry"] = { attempts: 0, connectFor: "0s" };

function h2c(ports: readonly number[], options: Partial<OnePoolOptions> = {}): OnePoolOptions {
  return {
    connections: { http2: "h2c" },
    ...options,
    upstreams: ports.map((port) => `http://127.0.0.1:${port}`),
  };
}

/** Sends exact bytes and collects what comes until the connection ends. */
async function exchange(port: number, text: string): Promise<{ text: string; how: string | undefined }> {
  const client = await StrictClient.to(port);
  client.socket.write(text, "latin1");
  await until(() => client.how !== undefined);
  client.socket.destroy();
  return { text: client.text, how: client.how };
}

const get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

function outcomesOf(proxy: Awaited<ReturnType<typeof startProxy>>["proxy"]) {
  return proxy.snapshot().pools[0]?.upstreams.map(({ outcomes }) => outcomes) ?? [];
}

describe("a body that is cut off", () => {
  const deaths: [string, (request: FrameRequest) => void][] = [
    ["RST_STREAM(NO_ERROR)", ({ peer, id }) => peer.send(reset(id, errorCode.noError))],
    ["RST_STREAM(CANCEL)", ({ peer, id }) => peer.send(reset(id, errorCode.cancel))],
    ["RST_STREAM(INTERNAL_ERROR)", ({ peer, id }) => peer.send(reset(id, errorCode.internalError))],
    ["the end of the connection", ({ peer }) => peer.socket.end()],
    ["GOAWAY and the end of the connection", ({ peer, id }) => peer.socket.end(goaway(id))],
    ["a violation", ({ peer, id }) => peer.send(headers(id, ok))],
    ["an END_STREAM before its announced length", ({ peer, id }) => peer.send(data(id, "", true))],
    ["trailers with a line break", ({ peer, id }) => peer.send(headers(id, [["x", "a\r\nb"]], { endStream: true }))],
  ];

  test.each(deaths)("by %s is cut off for the client, logged and counted", async (name, die) => {
    // So much that the head has gone out.
    const body = "x".repeat(12_000);
    const head = [...ok, ...(name.includes("announced") ? [["content-length", "20000"] as const] : [])];
    const upstream = await frameServer({ onRequest: ({ peer, id }) => peer.send(headers(id, head), data(id, body)) });
    const { port, finished, proxy } = await startProxy(h2c([upstream.port]));
    const client = await StrictClient.to(port);
    client.socket.write(get, "latin1");
    await until(() => client.text.length > body.length);
    die([...(upstream.peers[0]?.requests.values() ?? [])][0] as FrameRequest);
    await until(() => client.how !== undefined);
    expect(client.text).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(client.text.endsWith("0\r\n\r\n")).toBe(false);
    const [request] = await finished(1);
    expect(request?.error).toBe("response_truncated");
    expect(outcomesOf(proxy)).toEqual([{ response_truncated: 1 }]);
  });
});

describe("a request that the upstream has not processed", () => {
  test.each(["GET", "POST"])(
    "because it was leaving is sent again at once, and counts against nothing: %s",
    async (method) => {
      const upstream = await frameServer({
        onRequest: ({ peer, id, body }) =>
          peer.send(peer === upstream.peers[0] ? goaway(0) : respond(id, `served ${body}`)),
      });
      const { url, finished, proxy } = await startProxy(h2c([upstream.port], { retry: noRetries }));
      const body = method === "POST" ? "hello" : undefined;
      expect(await fetchFrom(url, { method, body })).toMatchObject({ status: 200, text: `served ${body ?? ""}` });
      const [request] = await finished(1);
      expect(request?.attempts.map(({ error, status }) => error ?? status)).toEqual(["reset", 200]);
      expect(outcomesOf(proxy)).toEqual([{ stale: 1, success: 1 }]);
    },
  );

  test.each(["GET", "POST"])("because it refused the stream is sent to another upstream: %s", async (method) => {
    const refusing = await frameServer({ onRequest: ({ peer, id }) => peer.send(reset(id, errorCode.refusedStream)) });
    const serving = await frameServer({ onRequest: ({ peer, id, body }) => peer.send(respond(id, `served ${body}`)) });
    const options = h2c([refusing.port, serving.port], { balance: "first" });
    const { url, proxy } = await startProxy(options);
    const body = method === "POST" ? "hello" : undefined;
    expect(await fetchFrom(url, { method, body })).toMatchObject({ status: 200, text: `served ${body ?? ""}` });
    expect(outcomesOf(proxy)).toEqual([{ reset: 1 }, { success: 1 }]);
  });

  test("with no other upstream and no retries is a 502", async () => {
    const upstream = await frameServer({ onRequest: ({ peer, id }) => peer.send(reset(id, errorCode.refusedStream)) });
    const { url } = await startProxy(h2c([upstream.port], { retry: noRetries }));
    const answer = await fetchFrom(url);
    expect(answer).toMatchObject({ status: 502 });
    expect(answer.headers["proxy-status"]).toContain('details="reset"');
  });

  test("because its connection was stale is retried once on a fresh one, when it may be repeated", async () => {
    const upstream = await frameServer({
      onRequest: ({ peer, id }) =>
        peer === upstream.peers[0] && id > 1 ? peer.socket.destroy() : peer.send(respond(id, "served")),
    });
    const { url, proxy } = await startProxy(h2c([upstream.port], { retry: noRetries }));
    await fetchFrom(url);
    expect(await fetchFrom(url)).toMatchObject({ status: 200, text: "served" });
    expect(outcomesOf(proxy)).toEqual([{ stale: 1, success: 2 }]);
  });

  test("gracefully, one in so many, loses no request of many clients at once", async () => {
    const upstream = await frameServer({
      onRequest: ({ peer, id }) =>
        setImmediate(() => peer.send(respond(id, "served"), ...(id % 20 === 9 ? [goaway(id)] : []))),
    });
    const { url, proxy } = await startProxy(h2c([upstream.port], { retry: noRetries }));
    for (let round = 0; round < 10; round++) {
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => fetchFrom(url, { method: "POST", body: "x" })),
      );
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    }
    expect(outcomesOf(proxy)[0]).toMatchObject({ success: 200 });
  });
});

describe("a malformed response", () => {
  test.each<[string, readonly (readonly [string, string])[]]>([
    ["a line break in a value", [...ok, ["x", "a\r\nset-cookie: b"]]],
    ["capitals in a name", [...ok, ["X-Up", "y"]]],
    ["Connection", [...ok, ["connection", "close"]]],
    ["status 000", [[":status", "000"]]],
  ])("with %s is a 502 of which nothing is passed on, and is not retried", async (_, head) => {
    const upstream = await frameServer({
      onRequest: ({ peer, id }) => peer.send(headers(id, head, { endStream: true })),
    });
    const { url, proxy } = await startProxy(h2c([upstream.port]));
    const answer = await fetchFrom(url);
    expect(answer.status).toBe(502);
    expect(answer.headers["proxy-status"]).toContain('details="invalid_response"');
    expect(answer.headers["set-cookie"]).toBeUndefined();
    expect(upstream.requests).toBe(1);
    expect(outcomesOf(proxy)).toEqual([{ invalid_response: 1 }]);
  });

  test.each<[string, (id: number) => Buffer[]]>([
    ["more data than announced", (id) => [headers(id, [...ok, ["content-length", "3"]]), data(id, "four", true)]],
    ["data in a 204", (id) => [headers(id, [[":status", "204"]]), data(id, "x", true)]],
  ])("with %s is a 502 too, before anything has been sent, and is not retried", async (_, frames) => {
    const upstream = await frameServer({ onRequest: ({ peer, id }) => peer.send(...frames(id)) });
    const { url, proxy } = await startProxy(h2c([upstream.port]));
    const response = await fetchFrom(url);
    expect(response.status).toBe(502);
    expect(response.headers["proxy-status"]).toContain('details="invalid_response"');
    expect(upstream.requests).toBe(1);
    expect(outcomesOf(proxy)).toEqual([{ invalid_response: 1 }]);
  });

  test("with less data than announced is a body that broke off: before anything has been sent, it is retried", async () => {
    const upstream = await frameServer({
      onRequest: ({ peer, id }) =>
        peer.send(
          ...(upstream.requests === 1
            ? [headers(id, [...ok, ["content-length", "5"]]), data(id, "four", true)]
            : [respond(id, "served")]),
        ),
    });
    const { url, proxy } = await startProxy(h2c([upstream.port]));
    expect(await fetchFrom(url)).toMatchObject({ status: 200, text: "served" });
    expect(outcomesOf(proxy)).toEqual([{ response_truncated: 1, success: 1 }]);
  });

  test("of one client does not touch those of others on its connection", async () => {
    const upstream = await frameServer({
      onRequest: ({ peer, id, fields }) =>
        peer.send(fields.includes("/bad") ? headers(id, [[":status", "000"]]) : respond(id, "served")),
    });
    const { url } = await startProxy(h2c([upstream.port]));
    const answers = await Promise.all(["/", "/bad", "/", "/bad", "/"].map((path) => fetchFrom(url + path)));
    expect(answers.map(({ status }) => status)).toEqual([200, 502, 200, 502, 200]);
    expect(upstream.peers).toHaveLength(1);
  });
});

describe("a request on its way to an upstream over HTTP/2", () => {
  test("keeps its cookies, its 8-bit bytes and its names, and goes without what is about the connection", async () => {
    const upstream = await frameServer({ onRequest: ({ peer, id }) => peer.send(respond(id)) });
    const { port } = await startProxy(h2c([upstream.port]));
    const lines = [
      "Host: shop.example",
      "Cookie: a=1",
      "Cookie: b=2",
      "X-Name: J\xfcrgen",
      "__proto__: p",
      "constructor: c",
      "TE: trailers",
      "Connection: close, X-Hop, TE",
      "X-Hop: x",
      "Keep-Alive: x",
    ];
    await exchange(port, `GET /a?b HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
    const { fields = [] } = upstream.peers[0]?.requests.get(1) ?? {};
    expect(fields.slice(0, 8)).toEqual([
      ":method",
      "GET",
      ":scheme",
      "http",
      ":authority",
      "shop.example",
      ":path",
      "/a?b",
    ]);
    const values = (name: string) => fields.filter((_, index) => index % 2 === 1 && fields[index - 1] === name);
    expect(values("cookie").join("; ")).toBe("a=1; b=2");
    expect([values("x-name"), values("__proto__"), values("constructor"), values("te")]).toEqual([
      ["J\xfcrgen"],
      ["p"],
      ["c"],
      ["trailers"],
    ]);
    for (const name of ["connection", "x-hop", "keep-alive", "host", "transfer-encoding"])
      expect(values(name)).toEqual([]);
  });

  test("may be a GET with a body, many times, and no upstream is ejected for it", async () => {
    const upstream = await frameServer({ onRequest: ({ peer, id, body }) => peer.send(respond(id, `read ${body}`)) });
    const { url, proxy } = await startProxy(h2c([upstream.port]));
    for (let count = 0; count < 40; count++) {
      expect(await fetchFrom(url, { body: '{"query":{}}' })).toMatchObject({ status: 200, text: 'read {"query":{}}' });
    }
    expect(outcomesOf(proxy)).toEqual([{ success: 40 }]);
  });

  test("shares a connection with the others", async () => {
    const waiting: FrameRequest[] = [];
    const upstream = await frameServer({
      onRequest: (request) => {
        waiting.push(request);
        if (waiting.length === 50) for (const { peer, id } of waiting) peer.send(respond(id, "served"));
      },
    });
    const { url } = await startProxy(h2c([upstream.port]));
    const answers = await Promise.all(Array.from({ length: 50 }, () => fetchFrom(url)));
    expect(answers.map(({ text }) => text)).toEqual(answers.map(() => "served"));
    expect(upstream.peers).toHaveLength(1);
  });

  test("of a client that leaves is given up with CANCEL", async () => {
    const upstream = await frameServer({
      onHeaders: ({ peer, id }) => peer.send(headers(id, ok), data(id, "x".repeat(12_000))),
    });
    const { port, finished, proxy } = await startProxy(h2c([upstream.port]));
    const client = await StrictClient.to(port);
    client.socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf");
    await upstream.until(() => upstream.peers[0]?.requests.get(1)?.body.length === 4);
    client.socket.destroy();
    await upstream.until(() => upstream.peers[0]?.resetCode(1) === errorCode.cancel);
    expect((await finished(1))[0]).toMatchObject({ error: "client_aborted" });
    expect(outcomesOf(proxy)).toEqual([{ aborted: 1 }]);
  });
});

describe("a response on its way from an upstream over HTTP/2", () => {
  test("has a reason phrase, its 8-bit bytes, early hints in front and trailers behind", async () => {
    const upstream = await frameServer({
      onRequest: ({ peer, id }) => {
        peer.send(
          headers(id, [[":status", "100"]]),
          headers(id, [
            [":status", "103"],
            ["link", "</a>"],
          ]),
        );
        peer.send(
          headers(id, [
            [":status", "404"],
            ["x-name", "J\xfcrgen"],
            ["set-cookie", "a"],
            ["set-cookie", "b"],
            ["__proto__", "p"],
          ]),
        );
        peer.send(
          data(id, "body"),
          headers(
            id,
            [
              ["grpc-status", "0"],
              ["content-length", "9"],
            ],
            { endStream: true },
          ),
        );
      },
    });
    const { port } = await startProxy(h2c([upstream.port]));
    const { text } = await exchange(port, "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close\r\n\r\n");
    expect(text).toMatch(/^HTTP\/1\.1 103 Early Hints\r\nlink: <\/a>\r\n/);
    expect(text).toMatch(
      /\r\n\r\nHTTP\/1\.1 404 Not Found\r\nx-name: J\xfcrgen\r\nset-cookie: a\r\nset-cookie: b\r\n__proto__: p\r\n/,
    );
    expect(text).toMatch(/\r\n4\r\nbody\r\n0\r\ngrpc-status: 0\r\n\r\n$/);
  });

  test("that comes before the body was read is passed on", async () => {
    const upstream = await frameServer({
      onHeaders: ({ peer, id }) => peer.send(respond(id, "too large", "413"), reset(id, errorCode.noError)),
    });
    const { port } = await startProxy(h2c([upstream.port]));
    const { text } = await exchange(
      port,
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n${"x".repeat(10_000)}`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 413 [^]*Connection: close[^]*too large$/);
  });

  test("of an https upstream arrives as from any other", async () => {
    const upstream = await frameServer({
      tls: { cert, key, ALPNProtocols: ["h2"] },
      onRequest: ({ peer, id }) => peer.send(respond(id, "served")),
    });
    const { url } = await startProxy({
      upstreams: [`https://localhost:${upstream.port}`],
      connections: { http2: true },
      tls: { ca: cert },
    });
    expect(await fetchFrom(url)).toMatchObject({ status: 200, text: "served" });
  });
});
