import { AsyncLocalStorage } from "node:async_hooks";
import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { describe, expect, onTestFinished, test } from "vitest";
import { createProxy, type Proxy, type ProxyOptions } from "../../src/index.ts";
import { fetchFrom, keepAlive, rawClient } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { startRawUpstream, startUpstream } from "../support/start-upstream.ts";
import { connectSocket, handshake, startEcho } from "../support/web-sockets.ts";

const storage = new AsyncLocalStorage<string>();

interface Lab {
  readonly port: number;
  readonly url: string;
  readonly proxy: Proxy;
  /** Each callback with the request that it is of, and the one whose context it ran in. */
  readonly calls: { readonly what: string; readonly own: string; readonly ran: string | undefined }[];
  /** Resolves when so many requests are finished. */
  finished(count: number): Promise<void>;
  /** The callbacks that ran in another context than their own. */
  strays(): readonly string[];
}

/** An app that gives each request a store of its own, and a proxy behind it all of whose callbacks note where they run. */
async function lab(options: ProxyOptions): Promise<Lab> {
  const calls: { what: string; own: string; ran: string | undefined }[] = [];
  const note = (what: string, own: string) => calls.push({ what, own, ran: storage.getStore() });
  const urls = new Map<string, string>();
  const ownOf = (requestId: string) => urls.get(requestId) ?? "unknown";
  const proxy = createProxy(options, {
    onRequest: async ({ requestId, path }) => {
      urls.set(requestId, path);
      note("onRequest", path);
      if (path.includes("async")) await new Promise(setImmediate);
    },
    onResponse: ({ requestId }) => void note("onResponse", ownOf(requestId)),
    onError: ({ requestId }) => void note("onError", ownOf(requestId)),
  });
  let finished = 0;
  proxy.on("request", ({ url }) => {
    finished++;
    note("request", url);
  });
  for (const event of ["attempt", "retry", "tunnel"] as const) {
    proxy.on(event, ({ requestId }: { requestId: string }) => void note(event, ownOf(requestId)));
  }
  const inContext = (req: IncomingMessage, go: () => void) => storage.run(req.url ?? "", go);
  const server = http.createServer((req, res: ServerResponse) =>
    inContext(req, () => {
      res.on("finish", () => void note("res finish", req.url ?? ""));
      // The close of a connection by its client is Node's to report, which does so outside of any request.
      res.on("close", () => res.writableFinished && note("res close", req.url ?? ""));
      proxy.handler(req, res);
    }),
  );
  server.on("upgrade", (req: IncomingMessage, socket: Duplex, head: Buffer) =>
    inContext(req, () => proxy.upgrade(req, socket, head)),
  );
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as { port: number };
  onTestFinished(async () => {
    server.close();
    await proxy.close({ timeout: "0ms" });
    server.closeAllConnections();
  });
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    proxy,
    calls,
    finished: (count) => until(() => finished >= count),
    strays: () =>
      calls.filter(({ own, ran }) => own !== ran).map(({ what, own, ran }) => `${what} of ${own} in ${ran}`),
  };
}

/** What is noted of a request that is answered by an upstream. */
const answered = ["onRequest", "onResponse", "attempt", "res finish", "res close", "request"];

describe("every callback of a request runs in its own async context", () => {
  test("when a connection is used again, one request after another", async () => {
    const upstream = await startUpstream("a");
    const { url, calls, finished, strays } = await lab({ upstreams: [upstream.url], connections: { max: 1 } });
    const agent = keepAlive();
    for (const path of ["/alice", "/bob", "/async-carol"]) await fetchFrom(url + path, { agent });
    await finished(3);
    expect(strays()).toEqual([]);
    expect(calls.map(({ what }) => what).sort()).toEqual([...answered, ...answered, ...answered].sort());
  });

  test.each([
    ["small, and leave in one batch", 10],
    ["larger than what is joined with the head", 100_000],
  ])("when many responses are %s", async (_what, size) => {
    const waiting: ServerResponse[] = [];
    const upstream = await startUpstream("a", (_req, res) => {
      waiting.push(res);
      if (waiting.length === 20) for (const one of waiting.splice(0)) one.end("x".repeat(size));
    });
    const { url, calls, finished, strays } = await lab({ upstreams: [upstream.url] });
    const agent = keepAlive();
    for (const round of [1, 2, 3]) {
      await Promise.all(Array.from({ length: 20 }, (_, index) => fetchFrom(`${url}/${round}-${index}`, { agent })));
      await finished(round * 20);
    }
    expect(strays()).toEqual([]);
    expect(calls).toHaveLength(60 * answered.length);
  });

  test.each<[string, object]>([
    ["the queue of a full upstream", { upstreams: 1 }],
    ["the few connections of an upstream", { connections: { max: 1 } }],
  ])("when it waits for %s, and another's end lets it go on", async (_what, how) => {
    const upstream = await startUpstream("a");
    const full = "upstreams" in how;
    const { url, finished, strays } = await lab({
      ...(full ? { upstreams: [{ url: upstream.url, maxInFlight: 1 }] } : { ...how, upstreams: [upstream.url] }),
    });
    await Promise.all(Array.from({ length: 10 }, (_, index) => fetchFrom(`${url}/${index}`)));
    await finished(10);
    expect(strays()).toEqual([]);
  });

  test("when it waits in vain", async () => {
    const upstream = await startUpstream("a", (req, res) => {
      if (req.url !== "/0") res.end();
    });
    const { url, calls, finished, strays } = await lab({
      upstreams: [{ url: upstream.url, maxInFlight: 1 }],
      queue: { timeout: "30ms" },
      timeouts: { headers: "150ms" },
    });
    const asked = Array.from({ length: 5 }, (_, index) => fetchFrom(`${url}/${index}`));
    expect((await Promise.all(asked)).map(({ status }) => status).sort()).toEqual([503, 503, 503, 503, 504]);
    await finished(5);
    expect(strays()).toEqual([]);
    expect(calls.filter(({ what }) => what === "onError")).toHaveLength(5);
  });

  test("when the shared ticker ends it: no headers, a body that stops, a client that does not read", async () => {
    const upstream = await startUpstream("a", (req, res) => {
      if (req.url === "/large") for (let piece = 0; piece < 64; piece++) res.write(Buffer.alloc(262_144));
      else req.resume();
    });
    const { url, port, calls, finished, strays } = await lab({
      upstreams: [upstream.url],
      timeouts: { headers: "100ms" },
      requestBodyTimeout: "100ms",
      sendTimeout: "100ms",
      outlierDetection: false,
    });
    // The first of them makes the connections and starts the ticker.
    const silent = ["/silent-1", "/silent-2"].map((path) => fetchFrom(url + path));
    await until(() => upstream.received.length === 2);
    await rawClient(port, "POST /slow HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab");
    const reader = connect(port, "127.0.0.1").pause();
    onTestFinished(() => void reader.destroy());
    reader.write("GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
    expect((await Promise.all(silent)).map(({ status }) => status)).toEqual([504, 504]);
    await finished(4);
    expect(strays()).toEqual([]);
    expect(calls.filter(({ what }) => what === "onError").map(({ own }) => own)).toContain("/slow");
  });

  test("when it fails over, and when it is retried after a pause", async () => {
    const dead = await startRawUpstream((socket) => socket.destroy());
    const upstream = await startUpstream("a");
    const { url, calls, finished, strays } = await lab({
      balance: "first",
      upstreams: [dead.url, upstream.url],
      outlierDetection: false,
    });
    await Promise.all(Array.from({ length: 5 }, (_, index) => fetchFrom(`${url}/${index}`)));
    await finished(5);
    expect(strays()).toEqual([]);
    expect(calls.filter(({ what }) => what === "retry")).toHaveLength(5);
  });

  test("when its body is too large, or its client leaves", async () => {
    const upstream = await startUpstream("a", (req) => void req.resume());
    const { port, calls, finished, strays } = await lab({
      pools: { p: { upstreams: [upstream.url] } },
      routes: [{ pool: "p", maxBodySize: "10b" }],
    });
    const large = await rawClient(port, "POST /large HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    large.socket.write(`20\r\n${"x".repeat(32)}\r\n`);
    await large.until(/413/);
    const gone = await rawClient(port, "GET /gone HTTP/1.1\r\nHost: h\r\n\r\n");
    await until(() => upstream.received.some(({ url }) => url === "/gone"));
    gone.socket.destroy();
    large.socket.destroy();
    await finished(2);
    expect(strays()).toEqual([]);
    expect(calls).toContainEqual({ what: "request", own: "/gone", ran: "/gone" });
    expect(calls).toContainEqual({ what: "onError", own: "/large", ran: "/large" });
  });

  test("when it is sent ahead of the responses to others, more of them than are in flight at a time", async () => {
    const upstream = await startUpstream("a");
    const { port, calls, finished, strays } = await lab({ upstreams: [upstream.url] });
    const requests = Array.from({ length: 50 }, (_, index) => `GET /${index} HTTP/1.1\r\nHost: h\r\n\r\n`);
    const client = await rawClient(port, requests.join(""));
    await finished(50);
    // A request is finished once its response is written, which the client may still have to read.
    await until(() => client.text.match(/HTTP\/1\.1 200/g)?.length === 50);
    expect(strays()).toEqual([]);
    expect(calls).toHaveLength(50 * answered.length);
  });

  test("when it is a handshake: taken, refused, failed, and after its tunnel", async () => {
    const upstream = await startEcho();
    const { url, port, calls, finished, strays } = await lab({ upstreams: [upstream.url] });
    const sockets = await Promise.all(["/one", "/two"].map((path) => connectSocket(url + path)));
    for (const socket of sockets) socket.close();
    await finished(2);
    expect(calls.filter(({ what }) => what === "tunnel")).toHaveLength(4);
    const refusing = await startUpstream("no");
    refusing.server.on("upgrade", (_req, socket) => socket.end("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno"));
    const silent = await startRawUpstream((socket) => socket.destroy());
    const others = await lab({ balance: "round-robin", upstreams: [refusing.url, silent.url], retry: { attempts: 0 } });
    for (const path of ["/refused-1", "/failed-2"]) await (await rawClient(others.port, handshake(path))).over();
    await others.finished(2);
    const gone = await rawClient(port, handshake("/gone"));
    await gone.until(/101/);
    gone.socket.destroy();
    await finished(3);
    expect([...strays(), ...others.strays()]).toEqual([]);
  });
});

test("nothing that outlives a request runs in its context: probes, and connections that another uses", async () => {
  const stores: (string | undefined)[] = [];
  const dead = await startRawUpstream((socket) => socket.destroy());
  const upstream = await startUpstream("a");
  const { url, proxy, finished } = await lab({
    upstreams: [dead.url, upstream.url],
    healthCheck: { interval: "100ms", fastInterval: "100ms", unhealthyThreshold: 1 },
  });
  proxy.on("health", () => stores.push(storage.getStore()));
  const first = await Promise.all(Array.from({ length: 6 }, (_, index) => fetchFrom(`${url}/${index}`)));
  expect(first.map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 200));
  await finished(6);
  await until(() => stores.length >= 2);
  expect(new Set(stores)).toEqual(new Set([undefined]));
});

test("an outbound request's handler is called in the context that dispatched it", async () => {
  const upstream = await startUpstream("a");
  const proxy = createProxy({ upstreams: [{ url: upstream.url, maxInFlight: 1 }] });
  onTestFinished(() => proxy.close({ timeout: "0ms" }));
  const { dispatcher } = proxy.outbound("default");
  const calls: [string, string | undefined][] = [];
  const dispatch = (own: string) =>
    new Promise<void>((resolve, reject) => {
      const note = () => void calls.push([own, storage.getStore()]);
      storage.run(own, () =>
        dispatcher.dispatch(
          { origin: "http://default", path: `/${own}`, method: "GET" },
          {
            onConnect: note,
            onHeaders: () => {
              note();
              return true;
            },
            onData: () => {
              note();
              return true;
            },
            onComplete: () => {
              note();
              resolve();
            },
            onError: reject,
          },
        ),
      );
    });
  await Promise.all(["a", "b", "c"].map(dispatch));
  expect(calls).toHaveLength(12);
  expect(calls.filter(([own, ran]) => own !== ran)).toEqual([]);
});
