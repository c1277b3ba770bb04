import diagnostics from "node:diagnostics_channel";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Hooks } from "../../src/forward/hooks.ts";
import { createProxy } from "../../src/index.ts";
import { fetchFrom, rawClient } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { refusingUrl } from "../support/refusing-port.ts";
import { startUpstream } from "../support/start-upstream.ts";

/** As on-headers 1.0 does it, which knows headers as an object or as a list of pairs. */
function onHeaders(res: ServerResponse, listener: () => void): void {
  const { writeHead } = res;
  res.writeHead = ((status: number, ...args: unknown[]) => {
    const [headers] = typeof args[0] === "string" ? args.slice(1) : args;
    const pairs = Array.isArray(headers) ? headers : Object.entries(headers ?? {});
    for (const [name, value] of pairs as [string, string][]) if (name) res.setHeader(name, value);
    listener();
    return writeHead.call(res, status);
  }) as typeof writeHead;
}

/** A proxy behind an app's middleware. */
async function serve(upstreams: readonly string[], middleware: (res: ServerResponse) => void, hooks: Hooks = {}) {
  const proxy = createProxy({ upstreams }, hooks);
  const server = createServer((req, res) => {
    middleware(res);
    proxy.handler(req, res);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(async () => {
    server.close();
    await proxy.close({ timeout: "0ms" });
    server.closeAllConnections();
  });
  const { port } = server.address() as { port: number };
  return { port, url: `http://127.0.0.1:${port}` };
}

/** Every kind of response: one that leaves with its head, a large one, one without a body, and the proxy's own. */
async function kinds() {
  const upstream = await startUpstream("a", (req, res) => {
    res.setHeader("ETag", '"v1"').setHeader("X-Twice", ["1", "2"]).setHeader("Set-Cookie", ["a=1", "b=2"]);
    if (req.url === "/none") res.writeHead(204).end();
    else res.end("x".repeat(req.url === "/large" ? 100_000 : 10));
  });
  const dead = await refusingUrl();
  return [
    { what: "small", upstreams: [upstream.url], path: "/", status: 200, length: 10 },
    { what: "large", upstreams: [upstream.url], path: "/large", status: 200, length: 100_000 },
    { what: "none", upstreams: [upstream.url], path: "/none", status: 204, length: 0 },
    { what: "own", upstreams: [dead], path: "/", status: 502, length: undefined },
  ];
}

test("middleware that patches writeHead, and knows no flat list, gets every response", async () => {
  for (const { upstreams, path, status, length } of await kinds()) {
    let called = 0;
    const { url } = await serve(upstreams, (res) =>
      onHeaders(res, () => {
        called++;
        res.setHeader("X-Response-Time", "1ms");
      }),
    );
    const answer = await fetchFrom(url + path);
    expect([answer.status, called, answer.headers["x-response-time"]]).toEqual([status, 1, "1ms"]);
    if (length === undefined) continue;
    expect(answer.body).toHaveLength(length);
    expect(answer.headers).toMatchObject({ etag: '"v1"', "x-twice": "1, 2", "set-cookie": ["a=1", "b=2"] });
  }
});

describe("a logger reads the headers of every response", () => {
  test.each<[string, (res: ServerResponse, log: () => void) => void]>([
    ["in a finish listener", (res, log) => void res.on("finish", log)],
    ["in a close listener", (res, log) => void res.on("close", log)],
    [
      "in a patched end",
      (res, log) => {
        const { end } = res;
        res.end = ((...args: Parameters<typeof end>) => {
          const result = end.apply(res, args);
          log();
          return result;
        }) as typeof end;
      },
    ],
    [
      "in a subscriber of Node's diagnostics channel",
      (res, log) => {
        const subscriber = (message: unknown) => {
          if ((message as { response: ServerResponse }).response === res) log();
        };
        diagnostics.subscribe("http.server.response.finish", subscriber);
        onTestFinished(() => void diagnostics.unsubscribe("http.server.response.finish", subscriber));
      },
    ],
  ])("%s", async (_how, attach) => {
    for (const { upstreams, path, status } of await kinds()) {
      const seen: object[] = [];
      const { url } = await serve(upstreams, (res) => attach(res, () => seen.push({ ...res.getHeaders() })));
      const answer = await fetchFrom(url + path);
      expect(answer.status).toBe(status);
      await until(() => seen.length > 0);
      const { date, connection, "keep-alive": _, "transfer-encoding": __, "x-twice": twice, ...sent } = answer.headers;
      expect([date, connection]).toEqual([expect.any(String), expect.any(String)]);
      expect(seen).toEqual([{ ...seen[0], ...sent, ...(twice !== undefined && { "x-twice": ["1", "2"] }) }]);
      expect(Object.keys(seen[0] as object).length).toBeGreaterThanOrEqual(Object.keys(sent).length);
    }
  });

  test("of an answer that a hook gives", async () => {
    const seen: object[] = [];
    const { url } = await serve(
      [await refusingUrl()],
      (res) => void res.on("finish", () => seen.push({ ...res.getHeaders() })),
      {
        onRequest: ({ respond }) => respond({ status: 401, headers: { "WWW-Authenticate": "Basic" } }),
      },
    );
    await fetchFrom(url);
    await until(() => seen.length > 0);
    expect(seen).toMatchObject([{ "www-authenticate": "Basic", via: "1.1 evenkeel" }]);
  });

  test("of responses that wait for others in front of them", async () => {
    const upstream = await startUpstream("a", (req, res) => void res.setHeader("X-Path", req.url ?? "").end());
    const seen: unknown[] = [];
    const { port } = await serve([upstream.url], (res) => {
      res.on("finish", () => seen.push(res.getHeader("x-path")));
    });
    const paths = Array.from({ length: 5 }, (_, index) => `/${index}`);
    const client = await rawClient(port, paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`).join(""));
    await client.until(/X-Path: \/4/);
    expect(seen.length).toBeGreaterThanOrEqual(4);
    expect(seen).toEqual(paths.slice(0, seen.length));
  });
});

/** As compression does it: what is written stays in the compressor until it is told to hand it out. */
function hold(res: ServerResponse): ServerResponse & { flush(): void } {
  const { write, end } = res;
  const held: Buffer[] = [];
  const release = () => {
    for (const chunk of held.splice(0)) write.call(res, chunk, "latin1" as never);
  };
  res.write = ((chunk: string | Buffer) => held.push(Buffer.from(chunk as string, "latin1")) > 0) as typeof write;
  res.end = ((chunk?: string | Buffer) => {
    if (chunk !== undefined) held.push(Buffer.from(chunk as string, "latin1"));
    release();
    return end.call(res, undefined, "latin1");
  }) as typeof end;
  return Object.assign(res, { flush: release });
}

test("an event stream is flushed behind middleware that holds what is written; anything else is left to it", async () => {
  const upstream = await startUpstream("a", (req, res) => {
    res.setHeader("Content-Type", req.url === "/events" ? "text/event-stream; charset=utf-8" : "text/plain");
    res.write("data: 1\n\n");
    if (req.url !== "/events") setImmediate(() => res.end());
  });
  let flushes = 0;
  const { port } = await serve([upstream.url], (res) => {
    const { flush } = hold(res);
    Object.assign(res, {
      flush: () => {
        flushes++;
        flush();
      },
    });
  });
  const events = await rawClient(port, "GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
  await events.until(/data: 1\n\n/);
  expect(flushes).toBeGreaterThan(0);
  flushes = 0;
  const text = await rawClient(port, "GET /text HTTP/1.1\r\nHost: h\r\n\r\n");
  await text.until(/data: 1\n\n/);
  expect(flushes).toBe(0);
});
