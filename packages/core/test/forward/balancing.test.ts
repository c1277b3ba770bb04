import { expect, test } from "vitest";
import { underLoad } from "../support/client.ts";
import { startLab } from "../support/forward-lab.ts";
import { scriptedUpstream } from "../support/scripted-upstream.ts";

/** Two upstreams that respond with their names, behind a proxy. */
function pair(weights: { a: number; b: number }) {
  const [a, b] = [scriptedUpstream("a"), scriptedUpstream("b")];
  const upstreams = [
    { id: "a", url: a.url, weight: weights.a },
    { id: "b", url: b.url, weight: weights.b },
  ];
  const lab = startLab({ balance: "round-robin", upstreams });
  const ask = async () => (await lab.fetch()).text;
  const trace = async (picks: number) => {
    let names = "";
    for (let pick = 0; pick < picks; pick++) names += await ask();
    return names;
  };
  return { lab, a, b, ask, trace };
}

test("weights 3:1 give exactly 300 of 400 requests under round-robin, ten at a time", async () => {
  const { ask, a, b } = pair({ a: 3, b: 1 });
  const names = await underLoad(400, 10, ask);
  expect(names.filter((name) => name === "a")).toHaveLength(300);
  expect([a.received.length, b.received.length]).toEqual([300, 100]);
});

test("a weight set in operation changes the very next picks", async () => {
  const { lab, trace } = pair({ a: 3, b: 1 });
  expect(await trace(8)).toBe("aabaaaba");
  lab.pool.setWeight("a", 1);
  expect(await trace(8)).toBe("abababab");
  lab.pool.setWeight("b", 0);
  expect(await trace(4)).toBe("aaaa");
});

test("states and members changed in operation count from the next request on", async () => {
  const { lab, trace } = pair({ a: 1, b: 1 });
  const { pool } = lab;
  pool.setState("a", "draining");
  expect(await trace(4)).toBe("bbbb");
  pool.setState("a", "active");
  const c = scriptedUpstream("c");
  pool.add({ id: "c", url: c.url });
  pool.remove("b");
  expect([...(await trace(4))].sort().join("")).toBe("aacc");
  pool.setState("a", "disabled");
  pool.setState("c", "disabled");
  const { length } = c.received;
  expect((await lab.fetch()).status).toBe(503);
  expect(c.received).toHaveLength(length);
});

test("p2c shares a light load by weight", async () => {
  const [a, b] = [scriptedUpstream("a"), scriptedUpstream("b")];
  const lab = startLab({ upstreams: [{ url: a.url, weight: 3 }, { url: b.url }] });
  for (let request = 0; request < 1_200; request++) await lab.fetch();
  expect(a.received.length + b.received.length).toBe(1_200);
  expect(Math.abs(a.received.length / 1_200 - 0.75)).toBeLessThan(0.05);
});
