import { describe, expect, test } from "vitest";
import type { ResponseContext } from "../../src/forward/hooks.ts";
import { fetchFrom, rawClient } from "../support/client.ts";
import { startProxy } from "../support/start-proxy.ts";
import { startRawUpstream, startUpstream } from "../support/start-upstream.ts";
import { connectSocket, echo, handshake, startEcho, switching } from "../support/web-sockets.ts";

describe("onRequest", () => {
  test("changes headers, path and pool, also when it takes its time", async () => {
    const [a, b] = [await startUpstream("a"), await startUpstream("b", (req, res) => void req.pipe(res))];
    const { url } = await startProxy(
      { pools: { a: { upstreams: [a.url] }, b: { upstreams: [b.url] } }, routes: [{ pool: "a" }] },
      {
        runtime: {
          onRequest: async (context) => {
            await Promise.resolve();
            expect(context).toMatchObject({ method: "POST", pool: "a", path: "/x?y=1", client: "127.0.0.1" });
            context.headers.delete("x-secret");
            context.headers.set("X-User", "7");
            context.path = "/changed?z";
            context.pool = "b";
          },
        },
      },
    );
    const answer = await fetchFrom(`${url}/x?y=1`, { method: "POST", body: "body", headers: { "X-Secret": "1" } });
    expect(answer).toMatchObject({ status: 200, text: "body" });
    expect(a.received).toHaveLength(0);
    expect(b.received[0]).toMatchObject({ method: "POST", url: "/changed?z" });
    expect(b.received[0]?.headers).toMatchObject({ "x-user": "7" });
    expect(b.received[0]?.headers).not.toHaveProperty("x-secret");
  });

  test("answers in the upstream's place, and is told once", async () => {
    const upstream = await startUpstream("a");
    const { url, finished } = await startProxy(
      { upstreams: [upstream.url] },
      {
        runtime: {
          onRequest: ({ respond }) => respond({ status: 401, headers: { "WWW-Authenticate": "Bearer" }, body: "no" }),
        },
      },
    );
    const answer = await fetchFrom(url);
    expect(answer).toMatchObject({ status: 401, text: "no" });
    expect(answer.headers).toMatchObject({ "www-authenticate": "Bearer", "content-length": "2" });
    expect((await finished(1))[0]).toMatchObject({ status: 401, error: undefined, attempts: [] });
    expect(upstream.received).toHaveLength(0);
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("hook");
      },
    ],
    ["rejects", () => Promise.reject(new Error("hook"))],
    [
      "names a pool that does not exist",
      (context: { pool: string }) => {
        context.pool = "no";
      },
    ],
    [
      "sets a path that could split the message",
      (context: { path: string }) => {
        context.path = "/x\r\nEvil: 1";
      },
    ],
    [
      "sets a header that could split the message",
      (context: { headers: { set(name: string, value: string): void } }) => context.headers.set("X", "1\r\nEvil: 1"),
    ],
    [
      "answers with a status out of range",
      (context: { respond(answer: { status: number }): void }) => context.respond({ status: 42 }),
    ],
  ])("that %s is 500, and nothing is sent", async (_, onRequest) => {
    const upstream = await startUpstream("a");
    const { url, finished } = await startProxy({ upstreams: [upstream.url] }, { runtime: { onRequest } });
    expect((await fetchFrom(url)).status).toBe(500);
    expect((await finished(1))[0]).toMatchObject({ status: 500 });
    expect(upstream.received).toHaveLength(0);
  });

  test("sets headers in place of the proxy's own, each once, for requests and for handshakes", async () => {
    const values = {
      ...{ Host: "chat.internal", "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "shop.example" },
      ...{ "X-Forwarded-Proto": "https", "X-Forwarded-Port": "443", "X-Forwarded-Prefix": "/shop" },
      ...{ "X-Request-Id": "from-the-app", Via: "1.1 edge", "X-Real-IP": "203.0.113.9" },
    };
    const upstream = await startRawUpstream((socket) => void socket.write(switching()));
    const { port } = await startProxy(
      { pools: { p: { upstreams: [upstream.url] } }, routes: [{ pool: "p", preserveHost: false }] },
      {
        runtime: {
          onRequest: ({ headers }) => {
            for (const [name, value] of Object.entries(values)) headers.set(name, value);
          },
        },
      },
    );
    const get = await rawClient(port, "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-Proto: http\r\n\r\n");
    await get.until(/\r\n\r\n/);
    const upgrade = await rawClient(port, handshake());
    await upgrade.until(/\r\n\r\n/);
    expect(upstream.heads).toHaveLength(2);
    for (const head of upstream.heads) {
      const lines = head.split("\r\n");
      for (const [name, value] of Object.entries(values)) {
        const found = lines.filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`));
        expect(found).toEqual([`${name}: ${value}`]);
      }
    }
  });

  test("stands in front of WebSockets, too", async () => {
    const upstream = await startEcho();
    let allowed = true;
    const { url } = await startProxy(
      { upstreams: [upstream.url] },
      {
        runtime: {
          onRequest: (context) => {
            if (!allowed) context.respond({ status: 403 });
          },
        },
      },
    );
    const socket = await connectSocket(url);
    await echo(socket, "hello");
    socket.close();
    allowed = false;
    await expect(connectSocket(url)).rejects.toThrow("403");
  });
});

describe("onResponse", () => {
  test("changes headers, but not the framing", async () => {
    const upstream = await startUpstream("a");
    const { url } = await startProxy(
      { upstreams: [upstream.url] },
      {
        runtime: {
          onResponse: ({ headers, status }) => {
            headers.set("X-Seen", `${status}`);
            headers.delete("Content-Length");
            // What it has read and sets again is no change.
            for (const [name, value] of headers) headers.set(name, value);
          },
        },
      },
    );
    const answer = await fetchFrom(url);
    expect(answer).toMatchObject({ status: 200, text: "a" });
    expect(answer.headers).toMatchObject({ "x-seen": "200", "content-length": "1" });
  });

  test.each<[string, (context: ResponseContext) => void]>([
    [
      "throws",
      () => {
        throw new Error("hook");
      },
    ],
    ["sets a value that could split the message", ({ headers }) => headers.set("X", "1\r\nEvil: 1")],
    ["sets a name that could split the message", ({ headers }) => headers.append("X: 1\r\nEvil", "1")],
    ["sets another length", ({ headers }) => headers.set("Content-Length", "1000")],
    ["sets a transfer coding", ({ headers }) => headers.set("Transfer-Encoding", "gzip")],
    ["sets what belongs to the connection", ({ headers }) => headers.set("Keep-Alive", "timeout=900")],
  ])("that %s is 502", async (_name, onResponse) => {
    const upstream = await startUpstream("a");
    const { url, finished } = await startProxy({ upstreams: [upstream.url] }, { runtime: { onResponse } });
    expect((await fetchFrom(url)).status).toBe(502);
    expect((await finished(1))[0]).toMatchObject({ status: 502, error: "response_hook_failed" });
  });
});

describe("onError", () => {
  test("says it in other words, and a throw leaves ours", async () => {
    let broken = false;
    const { url, finished } = await startProxy(
      { pools: { none: {} } },
      {
        runtime: {
          onError: ({ code, respond }) => {
            if (broken) throw new Error("hook");
            respond({ status: 418, body: code });
          },
        },
      },
    );
    expect(await fetchFrom(url)).toMatchObject({ status: 418, text: "none_available" });
    broken = true;
    expect((await fetchFrom(url)).status).toBe(503);
    expect((await finished(2)).map(({ status, error }) => [status, error])).toEqual([
      [418, "none_available"],
      [503, "none_available"],
    ]);
  });
});
