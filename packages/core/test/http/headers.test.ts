import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { fetchFrom, rawClient } from "../support/client.ts";
import { linesOf } from "../support/incoming.ts";
import { echo, rawUpstream } from "../support/raw-upstream.ts";
import { startProxy } from "../support/start-proxy.ts";
import { startRawUpstream, startUpstream } from "../support/start-upstream.ts";

/** What an upstream gets of a request that is sent byte for byte. */
async function seenOf(bytes: string): Promise<string[]> {
  const upstream = await startRawUpstream((socket) => {
    socket.write("HTTP/1.1 204 No Content\r\n\r\n");
  });
  const { port } = await startProxy({ upstreams: [upstream.url] });
  const client = await rawClient(port, Buffer.from(bytes, "latin1"));
  await client.until(/^HTTP\/1\.1 204 [^]*\r\n\r\n/);
  return upstream.heads[0]?.split("\r\n") ?? [];
}

/** What a client gets of an answer that is sent byte for byte. */
async function relayed(bytes: string, request = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n") {
  const upstream = await startRawUpstream((socket) => {
    socket.end(Buffer.from(bytes, "latin1"));
  });
  const { port } = await startProxy({ upstreams: [upstream.url] });
  const client = await rawClient(port, request);
  const { text } = await client.over();
  const [head = "", ...body] = text.split("\r\n\r\n");
  return { lines: head.split("\r\n"), body: body.join("\r\n\r\n") };
}

describe("a request", () => {
  test("keeps the case, the order and the bytes of its headers", async () => {
    const lines = await seenOf(
      "GET / HTTP/1.1\r\nx-LOWER: 1\r\nX-Upper: \xe4\xf6\xfc\xff\r\nhOST: Shop.Example\r\nX-UPPER: 2\r\nx_under: 3\r\n\r\n",
    );
    expect(lines.slice(0, 6)).toEqual([
      "GET / HTTP/1.1",
      "Host: Shop.Example",
      "x-LOWER: 1",
      "X-Upper: \xe4\xf6\xfc\xff",
      "X-UPPER: 2",
      "x_under: 3",
    ]);
  });

  test.each([
    "/",
    "//a///b?x=%zz",
    "/a/./b",
    "/%41%2f%2F%00%0d%0a",
    "/a?b?c&d=/../e",
    "/a;b=c;d?e;f",
    "/?",
    '/"<>[]^`{|}\\',
    `/${"a".repeat(8_000)}`,
  ])("keeps its target byte for byte: %s", async (target) => {
    expect((await seenOf(`GET ${target} HTTP/1.1\r\nHost: h\r\n\r\n`))[0]).toBe(`GET ${target} HTTP/1.1`);
  });
});

describe("an answer", () => {
  test("keeps the case, the order, the repetition and the bytes of its headers", async () => {
    const own = ["x-LOWER: 1", "Set-Cookie: a=1; Path=/", "X-Upper: \xe4\xff", "set-cookie: b=2", "Date: whenever"];
    const { lines, body } = await relayed(
      `HTTP/1.1 200 Fine\xe4\r\n${own.join("\r\n")}\r\nContent-Length: 2\r\n\r\nok`,
    );
    expect(lines).toEqual([
      "HTTP/1.1 200 Fine\xe4",
      ...own,
      "Content-Length: 2",
      "Via: 1.1 evenkeel",
      "Connection: close",
    ]);
    expect(body).toBe("ok");
  });

  test("has one Date and one Content-Length, its upstream's", async () => {
    const { lines } = await relayed("HTTP/1.1 200 OK\r\nDATE: d\r\nCONTENT-LENGTH: 2\r\n\r\nok");
    expect(lines.filter((line) => /^date:/i.test(line))).toEqual(["DATE: d"]);
    expect(lines.filter((line) => /^content-length:/i.test(line))).toEqual(["CONTENT-LENGTH: 2"]);
  });

  test("loses what is for the other hop", async () => {
    const hop = ["Connection: X-A, close", "X-A: 1", "Keep-Alive: timeout=9", "Upgrade: h2c", "Proxy-Authenticate: x"];
    const { lines } = await relayed(`HTTP/1.1 200 OK\r\n${hop.join("\r\n")}\r\nX-B: 2\r\nContent-Length: 0\r\n\r\n`);
    expect(lines.filter((line) => !line.startsWith("Date:"))).toEqual([
      "HTTP/1.1 200 OK",
      "X-B: 2",
      "Content-Length: 0",
      "Via: 1.1 evenkeel",
      "Connection: close",
    ]);
  });

  test.each([
    ["to a HEAD keeps its length and has no body", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "7"],
    ["304 keeps its length and has no body", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", "7"],
    ["204 has neither", "GET", "HTTP/1.1 204 No Content\r\n\r\n", undefined],
  ])("%s", async (_name, method, bytes, length) => {
    const { lines, body } = await relayed(bytes, `${method} / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);
    expect(body).toBe("");
    expect(lines.find((line) => /^content-length:/i.test(line))?.split(": ")[1]).toBe(length);
    expect(lines.filter((line) => /^transfer-encoding:/i.test(line))).toEqual([]);
  });

  test("to an HTTP/1.0 client is not in chunks, and ends with the connection", async () => {
    const bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    const { lines, body } = await relayed(bytes, "GET / HTTP/1.0\r\nHost: h\r\n\r\n");
    expect(body).toBe("ok");
    expect(lines.filter((line) => /^transfer-encoding:/i.test(line))).toEqual([]);
  });
});

describe("trailers", () => {
  test("of a request go no further, asked for or not", async () => {
    const upstream = await rawUpstream({ onRequest: echo });
    const { port } = await startProxy({ upstreams: [`http://127.0.0.1:${upstream.port}`] });
    const head = "PUT / HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n";
    const client = await rawClient(port, `${head}2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n`);
    await client.until(/\r\n\r\n\/$/);
    const [request] = upstream.requests;
    expect([`${request?.body}`, /x-sum/i.test(request?.head ?? "")]).toEqual(["ok", false]);
    // Whatever had come behind the last chunk would have begun another request.
    client.socket.write("GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
    await client.until(/\r\n\r\n\/next$/);
    expect(upstream.requests.map(({ method }) => method)).toEqual(["PUT", "GET"]);
  });
});

describe("what an app has set before", () => {
  test("stays, unless the answer says the same, and its cookies stay beside those of the answer", async () => {
    const answers: string[][] = [];
    const upstream = await startUpstream("a", (_req, res) => {
      res
        .writeHead(200, ["X-Own", "theirs", "Set-Cookie", "b=2", "Set-Cookie", "c=3", "Content-Length", "2"])
        .end("ok");
    });
    const { url } = await startProxy(
      { upstreams: [upstream.url] },
      {
        listener: (forward) => (req, res) => {
          res
            .setHeader("X-Powered-By", "Express")
            .setHeader("x-own", "ours")
            .setHeader("set-cookie", ["a=1"])
            .setHeader("Access-Control-Allow-Origin", "*");
          forward(req, res);
        },
      },
    );
    const { rawHeaders, text } = await fetchFrom(url);
    answers.push(linesOf(rawHeaders).filter((line) => !/^(?:Date|Connection|Keep-Alive):/.test(line)));
    expect(text).toBe("ok");
    expect(answers[0]).toEqual([
      "X-Powered-By: Express",
      "set-cookie: a=1",
      "set-cookie: b=2",
      "set-cookie: c=3",
      "Access-Control-Allow-Origin: *",
      "X-Own: theirs",
      "Content-Length: 2",
      "Via: 1.1 evenkeel",
    ]);
  });

  test("stays on the proxy's own answers too", async () => {
    const { url } = await startProxy(
      { pools: { none: {} } },
      {
        listener: (forward) => (req, res) => {
          res.setHeader("X-Powered-By", "Express").setHeader("Content-Type", "text/csv");
          forward(req, res);
        },
      },
    );
    const { status, headers } = await fetchFrom(url);
    expect(status).toBe(503);
    expect([headers["x-powered-by"], headers["content-type"]]).toEqual(["Express", "text/plain; charset=utf-8"]);
  });
});

describe("the proxy's own answers", () => {
  test("without a route are 404, unless somebody comes next", async () => {
    const options = { pools: { p: { upstreams: [] } }, routes: [{ path: "/api", pool: "p" }] };
    const { url, proxy, finished, requests } = await startProxy(options);
    const { status, headers } = await fetchFrom(`${url}/elsewhere`);
    expect([status, headers["proxy-status"]]).toEqual([
      404,
      'evenkeel; error=destination_not_found; details="no_route"',
    ]);
    expect((await finished(1))[0]).toMatchObject({ status: 404, error: "no_route", pool: undefined, route: undefined });

    const server = createServer((req, res) => proxy.handler(req, res, () => void res.end("next"))).listen(
      0,
      "127.0.0.1",
    );
    onTestFinished(() => void server.close());
    await new Promise((resolve) => {
      server.once("listening", resolve);
    });
    const { port } = server.address() as AddressInfo;
    expect((await fetchFrom(`http://127.0.0.1:${port}/elsewhere`)).text).toBe("next");
    expect((await fetchFrom(`http://127.0.0.1:${port}/api`)).status).toBe(503);
    expect((await finished(2)).map(({ status: code }) => code)).toEqual([404, 503]);
    expect(requests).toHaveLength(2);
  });
});
