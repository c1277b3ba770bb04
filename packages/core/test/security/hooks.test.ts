import { describe, expect, test } from "vitest";
import type { RequestContext } from "../../src/forward/hooks.ts";
import { fetchFrom, rawClient } from "../support/client.ts";
import { startProxy } from "../support/start-proxy.ts";
import { startRawUpstream, startUpstream } from "../support/start-upstream.ts";
import { handshake, switching } from "../support/web-sockets.ts";

/** What a hook may set by mistake, mostly from something that a client has sent. */
const injections: readonly (readonly [what: string, onRequest: (context: RequestContext) => void])[] = [
  ...[
    "/x\r\nEvil: 1",
    "/x HTTP/1.1\r\n\r\nGET /evil",
    "/x\n",
    "/x\r",
    "/x\0",
    "/x y",
    "/\xe4",
    "/\u010a",
    "/?\r\n",
  ].map(
    (path) =>
      [
        `the path ${JSON.stringify(path)}`,
        (context: RequestContext) => {
          context.path = path;
        },
      ] as const,
  ),
  ...[
    ["X-Evil", "1\r\nEvil: 1"],
    ["X-Evil", "1\nEvil: 1"],
    ["X-Evil", "1\0"],
    ["X-Evil", "\u010a"],
    ["X-Evil\r\nEvil", "1"],
    ["X Evil", "1"],
    ["", "1"],
    ["Content-Length", "5"],
    ["Transfer-Encoding", "chunked"],
    ["Connection", "X-Secret"],
    ["Upgrade", "h2c"],
    ["TE", "trailers, gzip"],
    ["Trailer", "X"],
    ["Keep-Alive", "timeout=900"],
    ["Proxy-Connection", "keep-alive"],
    ["Proxy-Authorization", "Basic eDp5"],
    ["Content_Length", "5"],
    ["Expect", "100-continue"],
    ["Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="],
    ["Host", "h\r\nEvil: 1"],
    ["Host", "a, b"],
  ].map(
    ([name = "", value = ""]) =>
      [
        `the header ${JSON.stringify(`${name}: ${value}`)}`,
        ({ headers }: RequestContext) => headers.set(name, value),
      ] as const,
  ),
];

describe("B16 a hook that would split the message sends nothing", () => {
  test.each(injections)("%s", async (_what, onRequest) => {
    const upstream = await startRawUpstream((socket) => void socket.write(switching()));
    const second = await startRawUpstream((socket) => void socket.write(switching()));
    const { url, port, finished } = await startProxy(
      { balance: "round-robin", upstreams: [upstream.url, second.url] },
      { runtime: { onRequest } },
    );
    expect([500, 502]).toContain((await fetchFrom(url, { method: "POST", body: "x" })).status);
    expect((await (await rawClient(port, handshake())).over()).text).toMatch(/^HTTP\/1\.1 50[02] /);
    const told = (await finished(2)).map(({ status, attempts }) => [status, attempts.length <= 1]);
    expect(told).toEqual([
      [500, true],
      [500, true],
    ]);
    expect([...upstream.heads, ...second.heads]).toEqual([]);
  });
});

test("C17 a hook may set headers of a POST of any size", async () => {
  const upstream = await startUpstream("a", (req, res) => void req.pipe(res));
  const { url } = await startProxy(
    { upstreams: [upstream.url] },
    { runtime: { onRequest: ({ headers }) => headers.set("X-Hook", "1") } },
  );
  for (const size of [0, 1, 1_024, 1_025, 100_000]) {
    const body = "x".repeat(size);
    expect(await fetchFrom(url, { method: "POST", body })).toMatchObject({ status: 200, text: body });
    expect(upstream.received.at(-1)?.headers["x-hook"]).toBe("1");
  }
});

test("C18 what a hook sets takes the place of whatever the client has sent by that name", async () => {
  const upstream = await startUpstream("a");
  const { port } = await startProxy(
    { upstreams: [upstream.url] },
    {
      runtime: {
        // As an authenticating hook should: the name is the proxy's, whether somebody has signed in or not.
        onRequest: ({ headers, path }) => {
          if (path === "/signed-in") headers.set("X-User-Id", "7");
          else headers.delete("X-User-Id");
        },
      },
    },
  );
  for (const path of ["/signed-in", "/nobody"]) {
    const forged = "X-User-Id: root\r\nx-user-id: root\r\nX-USER-ID: root";
    const client = await rawClient(port, `GET ${path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${forged}\r\n\r\n`);
    await client.over();
  }
  const seen = upstream.received.map(({ rawHeaders }) =>
    rawHeaders.filter((_, index) => rawHeaders[index - 1]?.toLowerCase() === "x-user-id" && index % 2 === 1),
  );
  expect(seen).toEqual([["7"], []]);
});
