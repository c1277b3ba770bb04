import { AsyncLocalStorage } from "node:async_hooks";
import { request } from "node:http";
import { connect } from "node:http2";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { LazyServerRequest, type ServerRequest } from "../../src/client/server-request.ts";
import type { Hooks, RequestContext } from "../../src/forward/hooks.ts";
import { createProxy } from "../../src/proxy.ts";
import { connectTo } from "../support/serve.ts";
import { startUpstream } from "../support/start-upstream.ts";

test("hooks receive the head of the request, with the properties of Node's", async () => {
  let seen: unknown;
  const hooks = {
    onRequest({ req, respond }: RequestContext<ServerRequest>) {
      seen = req;
      respond({ status: 204 });
    },
  };
  const proxy = createProxy({ upstreams: ["http://127.0.0.1:1"] }, hooks);
  onTestFinished(() => proxy.close({ timeout: "0ms" }));
  const server = await proxy.listen("127.0.0.1:0");
  const headers = { "X-A": ["1", "2"], Cookie: ["a=1", "b=2"], Host: "example.com" };
  const status = await new Promise((resolve, reject) => {
    request(`${server.urls[0]}/path?x=1`, { method: "PUT", headers, agent: false }, (res) => {
      res.resume();
      resolve(res.statusCode);
    })
      .once("error", reject)
      .end();
  });
  expect(status).toBe(204);
  expect(seen).toMatchObject({
    method: "PUT",
    url: "/path?x=1",
    httpVersion: "1.1",
    headers: { "x-a": "1, 2", cookie: "a=1; b=2", host: "example.com" },
    rawHeaders: expect.arrayContaining(["X-A", "1", "X-A", "2"]),
    socket: { remoteAddress: "127.0.0.1", encrypted: false },
  });
});

test.each([
  ["HTTP/1.1", sendPipelined],
  ["HTTP/2", sendStreams],
])("the async context that a hook enters is that of its request alone, over %s", async (_protocol, send) => {
  const storage = new AsyncLocalStorage<string>();
  const before: (string | undefined)[] = [];
  const mixed: unknown[] = [];
  const hooks: Hooks = {
    onRequest({ req: { url = "" } }) {
      before.push(storage.getStore());
      storage.enterWith(url);
    },
    onResponse({ req: { url } }) {
      if (storage.getStore() !== url) mixed.push([url, storage.getStore()]);
    },
  };
  const upstream = await startUpstream("a", (_req, res) => res.end("hello"));
  const proxy = createProxy({ upstreams: [upstream.url] }, hooks);
  onTestFinished(() => proxy.close({ timeout: "0ms" }));
  const server = await proxy.listen("127.0.0.1:0", { h2c: true });
  await send(server.urls[0] as string, ["/a", "/b", "/c"]);
  expect(before).toEqual(Array(6).fill(undefined));
  expect(mixed).toEqual([]);
});

/** Sends all requests together, twice on one connection. */
async function sendPipelined(url: string, paths: string[]): Promise<void> {
  const client = await connectTo(Number(new URL(url).port));
  for (const responses of [3, 6]) {
    client.socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(""));
    await client.until(new RegExp(`(?:hello[^]*){${responses}}`));
  }
}

async function sendStreams(url: string, paths: string[]): Promise<void> {
  const session = connect(url);
  onTestFinished(() => session.close());
  for (let round = 0; round < 2; round++) {
    await Promise.all(paths.map((path) => text(session.request({ ":path": path }))));
  }
}

test("repeated headers are joined as in Node", () => {
  const rawHeaders = [
    "A",
    "1",
    "a",
    "2",
    "Content-Type",
    "x",
    "content-type",
    "y",
    "Set-Cookie",
    "a",
    "set-cookie",
    "b",
  ];
  const { headers } = new LazyServerRequest({
    method: "GET",
    target: "/",
    httpVersion: "1.1",
    rawHeaders: [...rawHeaders, "__proto__", "x"],
    changedHeaders: undefined,
    remoteAddress: undefined,
    encrypted: true,
  });
  expect({ ...headers }).toEqual({ a: "1, 2", "content-type": "x", "set-cookie": ["a", "b"], ["__proto__"]: "x" });
  expect(Object.getPrototypeOf(headers)).toBe(null);
});
