import { expect, test } from "vitest";
import { fetchFrom, keepAlive, underLoad } from "../support/client.ts";
import { onlyPool, startProxy } from "../support/start-proxy.ts";
import { startUpstream } from "../support/start-upstream.ts";

/** Two upstreams that answer with their names, behind a proxy. */
async function pair(weights: { a: number; b: number }) {
  const [a, b] = [await startUpstream("a"), await startUpstream("b")];
  const upstreams = [
    { id: "a", url: a.url, weight: weights.a },
    { id: "b", url: b.url, weight: weights.b },
  ];
  const started = await startProxy({ balance: "round-robin", upstreams });
  const agent = keepAlive(10);
  const ask = async () => (await fetchFrom(started.url, { agent })).text;
  const trace = async (picks: number) => {
    let names = "";
    for (let pick = 0; pick < picks; pick++) names += await ask();
    return names;
  };
  return { ...started, a, b, ask, trace };
}

test("weights 3:1 give exactly 300 of 400 requests under round-robin, ten at a time", async () => {
  const { ask, a, b } = await pair({ a: 3, b: 1 });
  const names = await underLoad(400, 10, ask);
  expect(names.filter((name) => name === "a")).toHaveLength(300);
  expect([a.received.length, b.received.length]).toEqual([300, 100]);
});

test("a weight set in operation changes the very next picks", async () => {
  const { proxy, trace } = await pair({ a: 3, b: 1 });
  expect(await trace(8)).toBe("aabaaaba");
  onlyPool(proxy).setWeight("a", 1);
  expect(await trace(8)).toBe("abababab");
  onlyPool(proxy).setWeight("b", 0);
  expect(await trace(4)).toBe("aaaa");
});

test("states and members changed in operation count from the next request on", async () => {
  const { proxy, trace } = await pair({ a: 1, b: 1 });
  const pool = onlyPool(proxy);
  pool.setState("a", "draining");
  expect(await trace(4)).toBe("bbbb");
  pool.setState("a", "active");
  const c = await startUpstream("c");
  pool.add({ id: "c", url: c.url });
  pool.remove("b");
  expect([...(await trace(4))].sort().join("")).toBe("aacc");
  pool.setState("a", "disabled");
  pool.setState("c", "disabled");
  const response = await fetchFrom(`http://127.0.0.1:${new URL(c.url).port}`);
  expect(response.status).toBe(200);
});

test("p2c shares a light load by weight", async () => {
  const [a, b] = [await startUpstream("a"), await startUpstream("b")];
  const upstreams = [{ url: a.url, weight: 3 }, { url: b.url }];
  const { url } = await startProxy({ upstreams });
  const agent = keepAlive(1);
  await underLoad(1_200, 1, () => fetchFrom(url, { agent }));
  expect(Math.abs(a.received.length / 1_200 - 0.75)).toBeLessThan(0.05);
});
