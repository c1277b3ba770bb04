import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { LimitGrantor } from "../../src/group-limits/limit-grantor.ts";
import type { Pool } from "../../src/pool/pool.ts";
import { createProxy } from "../../src/proxy.ts";
import { systemClock } from "../../src/runtime/clock.ts";

test("two proxies with one connection between them: each is served, and the upstream never has two", async () => {
  let most = 0;
  const server = createServer((_req, res) => {
    most = Math.max(most, openConnections());
    res.end("fine");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const proxies = new Map(["one", "two"].map((id) => [id, createProxy({ upstreams: [url], connections: { max: 1 } })]));
  const grantor = new LimitGrantor(2, systemClock, (id, grant) => proxies.get(id)?.limitShares.apply(grant));
  onTestFinished(async () => {
    grantor.stop();
    for (const proxy of proxies.values()) await proxy.close({ timeout: "0ms" });
  });
  for (const [id, proxy] of proxies) proxy.limitShares.begin(grantor.join(id), (report) => grantor.report(id, report));
  const openConnections = () => {
    const uses = [...proxies.values()].flatMap(({ pools }) => [...(pools.get("default") as Pool).limits.uses()]);
    return uses.filter(({ limit }) => limit === "connections").reduce((sum, { held }) => sum + held, 0);
  };
  const served = await Promise.all(
    [...proxies.values()].map(async (proxy) => {
      const { fetch } = proxy.outbound("default");
      const texts: string[] = [];
      for (let n = 0; n < 20; n++) texts.push(await (await fetch("http://default/")).text());
      return texts.length;
    }),
  );
  expect(served).toEqual([20, 20]);
  expect(most).toBe(1);
  expect(proxies.get("one")?.snapshot().pools[0]?.upstreams[0]?.outcomes).toEqual({ success: 20 });
});
