import { describe, expect, test } from "vitest";
import type { PoolOptions } from "../../src/config/options.ts";
import { fetchFrom, rawClient } from "../support/client.ts";
import { nextEvent, onlyPool, startProxy } from "../support/start-proxy.ts";
import { startRawUpstream, startUpstream } from "../support/start-upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { handshake, startEcho } from "../support/web-sockets.ts";

/** An upstream that says of its load what it is told to, behind a proxy that heeds it. */
async function announcing(lines: readonly string[], options: Partial<PoolOptions> = {}, status = 200) {
  const upstream = await startUpstream("a", (_req, res) => {
    res.writeHead(status, [...lines, "X-Other", "1", "Content-Length", "0"]).end();
  });
  const upstreams = [{ id: "a", url: upstream.url, weight: 100 }];
  const clock = new VirtualClock();
  const started = await startProxy({ upstreams, weights: { mode: "announced" }, ...options }, { runtime: { clock } });
  const weight = () => onlyPool(started.proxy).get("a")?.effectiveWeight;
  return { ...started, upstream, clock, weight };
}

describe("a load that an upstream announces", () => {
  test.each([
    ["0", 100],
    ["0.25", 75],
    ["1", 5],
    ["1.000", 5],
    ["0.9999999", 5],
    [String(0.1 + 0.2), 70],
  ])("of %s leaves %d of a weight of 100, and is not for the client", async (load, left) => {
    const { url, weight } = await announcing(["X-Evenkeel-Load", load]);
    const { headers } = await fetchFrom(url);
    expect(weight()).toBeCloseTo(left, 3);
    expect([headers["x-evenkeel-load"], headers["x-other"]]).toEqual([undefined, "1"]);
  });

  test.each(["", "-0.5", "+0.5", "1.1", "2", ".5", "0.", "5e-1", "0x1", "50%", "0.5, 0.6", "NaN", "0.5;", "00.5"])(
    "of %j is not heeded, and goes no further all the same",
    async (load) => {
      const { url, weight } = await announcing(["X-Evenkeel-Load", load]);
      const { status, headers } = await fetchFrom(url);
      expect([status, weight(), headers["x-evenkeel-load"]]).toEqual([200, 100, undefined]);
    },
  );

  test("is not heeded when it is said twice", async () => {
    const { url, weight } = await announcing(["X-Evenkeel-Load", "0.5", "x-evenkeel-load", "0.5"]);
    const { headers } = await fetchFrom(url);
    expect([weight(), headers["x-evenkeel-load"]]).toEqual([100, undefined]);
  });

  test("is read from the header that is configured", async () => {
    const { url, weight } = await announcing(["X-Load", "0.5", "X-Evenkeel-Load", "1"], {
      weights: { header: "x-LOAD" },
    });
    const { headers } = await fetchFrom(url);
    expect([weight(), headers["x-load"], headers["x-evenkeel-load"]]).toEqual([50, undefined, "1"]);
  });

  test("is neither heeded nor passed on in early hints and trailers", async () => {
    const { url: upstream } = await startRawUpstream((socket) => {
      socket.write("HTTP/1.1 103 Early Hints\r\nX-Evenkeel-Load: 1\r\nLink: </a>\r\n\r\n");
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      socket.end("2\r\nok\r\n0\r\nX-Evenkeel-Load: 1\r\nX-Other: 1\r\n\r\n");
    });
    const { port, proxy } = await startProxy({
      upstreams: [{ id: "a", url: upstream }],
      weights: { mode: "announced" },
    });
    const client = await rawClient(port, "GET / HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nConnection: close\r\n\r\n");
    const { text } = await client.over();
    expect(text).toMatch(/103 [^]*Link: [^]*200 OK[^]*X-Other: 1/);
    expect(text).not.toMatch(/evenkeel-load/i);
    expect(onlyPool(proxy).get("a")?.effectiveWeight).toBe(1);
  });

  test("is an ordinary header to a pool without dynamic weights", async () => {
    const { url, weight } = await announcing(["X-Evenkeel-Load", "0.5"], { weights: undefined as never });
    const { headers } = await fetchFrom(url);
    expect([weight(), headers["x-evenkeel-load"]]).toEqual([100, "0.5"]);
  });

  test("counts on an answer that is given up for another attempt", async () => {
    const { proxy, url, clock, weight } = await announcing(["X-Evenkeel-Load", "0.5"], { retry: { on: ["503"] } }, 503);
    const { url: spare } = await startUpstream("spare");
    onlyPool(proxy).add({ url: spare, backup: true });
    const retried = nextEvent(proxy, "retry");
    const answer = fetchFrom(url);
    await retried;
    expect(weight()).toBe(50);
    await clock.advanceAsync(1_000);
    expect((await answer).text).toBe("spare");
  });

  test("counts with an upgrade, whether it is taken or refused", async () => {
    const taken = await startEcho();
    taken.server.prependListener("upgrade", (_req, socket) => {
      const { write } = socket;
      socket.write = ((head: string, ...rest: never[]) => {
        socket.write = write;
        return socket.write(head.replace("\r\n", "\r\nX-Evenkeel-Load: 0.5\r\n"), ...rest);
      }) as typeof write;
    });
    const upstreams = [{ id: "a", url: taken.url, weight: 100 }];
    const tunnelled = await startProxy({ upstreams, weights: { mode: "announced" } });
    const text = await (await rawClient(tunnelled.port, handshake())).until(/101 Switching[^]*\r\n\r\n/);
    expect(text).not.toMatch(/load/i);
    expect(onlyPool(tunnelled.proxy).get("a")?.effectiveWeight).toBe(50);

    const refused = await announcing(["X-Evenkeel-Load", "0.5"], {}, 403);
    const answer = await (await rawClient(refused.port, handshake())).over();
    expect(answer.text).toMatch(/^HTTP\/1\.1 403 /);
    expect(answer.text).not.toMatch(/evenkeel-load/i);
    expect(refused.weight()).toBe(50);
  });
});
