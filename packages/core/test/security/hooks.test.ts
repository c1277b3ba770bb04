import { describe, expect, test } from "vitest";
import type { RequestContext } from "../../src/forward/hooks.ts";
import { fetchFrom, rawClient } from "../support/client.ts";
import { startProxy } from "../support/start-proxy.ts";
import { startRawUpstream } from "../support/start-upstream.ts";
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
