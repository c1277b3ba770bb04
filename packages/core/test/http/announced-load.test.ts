import { describe, expect, test } from "vitest";
import { rawClient } from "../support/client.ts";
import { onlyPool, startProxy } from "../support/start-proxy.ts";
import { startUpstream } from "../support/start-upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { handshake, startEcho } from "../support/web-sockets.ts";

/** An upstream that says of its load what it is told to, behind a proxy that heeds it. */
async function announcing(lines: readonly string[], status: number) {
  const upstream = await startUpstream("a", (_req, res) => {
    res.writeHead(status, [...lines, "X-Other", "1", "Content-Length", "0"]).end();
  });
  const upstreams = [{ id: "a", url: upstream.url, weight: 100 }];
  const clock = new VirtualClock();
  const started = await startProxy({ upstreams, weights: { mode: "announced" } }, { runtime: { clock } });
  const weight = () => onlyPool(started.proxy).get("a")?.effectiveWeight;
  return { ...started, upstream, clock, weight };
}

describe("a load that an upstream announces", () => {
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

    const refused = await announcing(["X-Evenkeel-Load", "0.5"], 403);
    const answer = await (await rawClient(refused.port, handshake())).over();
    expect(answer.text).toMatch(/^HTTP\/1\.1 403 /);
    expect(answer.text).not.toMatch(/evenkeel-load/i);
    expect(refused.weight()).toBe(50);
  });
});
