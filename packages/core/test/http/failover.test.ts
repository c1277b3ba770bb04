import { describe, expect, test } from "vitest";
import { fetchFrom, keepAlive, underLoad } from "../support/client.ts";
import { onlyPool, startProxy } from "../support/start-proxy.ts";
import { startUpstream } from "../support/start-upstream.ts";

describe("an upstream that is killed under load", () => {
  test("fails no GET", async () => {
    const [a, b] = [await startUpstream("a"), await startUpstream("b")];
    const { url, proxy } = await startProxy({ upstreams: [a.url, b.url] });
    const agent = keepAlive(20);
    let killed: Promise<void> | undefined;
    let revived: Promise<void> | undefined;
    const answers = await underLoad(2_000, 20, async (index) => {
      if (index === 500) killed = a.kill();
      if (index === 1_500) revived = killed?.then(() => a.revive());
      return (await fetchFrom(url, { agent })).status;
    });
    await revived;
    expect(answers.filter((status) => status !== 200)).toEqual([]);
    expect(b.received.length).toBeGreaterThan(1_000);
    expect(proxy.snapshot().requests).toMatchObject([{ method: "GET", code: 200, count: 2_000 }]);
  });

  test("is found unhealthy within its thresholds, and healthy again after it returns", async () => {
    const [a, b] = [await startUpstream("a"), await startUpstream("b")];
    const healthCheck = {
      interval: "100ms",
      fastInterval: "100ms",
      timeout: "500ms",
      unhealthyThreshold: 3,
      healthyThreshold: 2,
      path: "/healthz",
    };
    const upstreams = [
      { id: "a", url: a.url },
      { id: "b", url: b.url },
    ];
    const { url, proxy } = await startProxy({ upstreams, balance: "round-robin", healthCheck });
    const becomes = (health: string) =>
      new Promise<string>((resolve) => {
        proxy.on("health", ({ upstream, to, reason }) => {
          if (upstream === "a" && to === health) resolve(reason);
        });
      });
    await becomes("healthy");
    const before = proxy.snapshot().pools[0]?.upstreams[0]?.probes.failure ?? 0;
    const unhealthy = becomes("unhealthy");
    await a.kill();
    await unhealthy;
    const { probes } = onlyPool(proxy).snapshot().upstreams[0] ?? {};
    expect((probes?.failure ?? 0) - before).toBe(3);

    const { requests } = { requests: a.received.length };
    const answers = await underLoad(20, 5, () => fetchFrom(url));
    expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(["b"]));
    expect(answers.every(({ status }) => status === 200)).toBe(true);

    const healthy = becomes("healthy");
    await a.revive();
    await healthy;
    expect(a.received.slice(requests).map(({ url: path }) => path)).toEqual(["/healthz", "/healthz"]);
    const again = await underLoad(20, 5, () => fetchFrom(url));
    expect(again.filter(({ text }) => text === "a")).toHaveLength(10);
  });
});
