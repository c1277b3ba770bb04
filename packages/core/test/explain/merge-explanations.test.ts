import { expect, test } from "vitest";
import { mergeExplanations } from "../../src/explain/merge-explanations.ts";
import { createProxy } from "../../src/proxy.ts";
import { VirtualClock } from "../../src/runtime/virtual-clock.ts";

/** Explanations of proxies with the same configuration and traffic of their own. */
function explainAll(changes: readonly ((proxy: ReturnType<typeof createProxy>) => void)[]) {
  const all = changes.map((change, index) => {
    const upstreams = ["a", "b"].map((id) => ({ id, url: `http://127.0.0.1:1/${id}` }));
    const proxy = createProxy({ pools: { api: { upstreams } } }, { clock: new VirtualClock() });
    change(proxy);
    return { worker: index + 1, explanation: proxy.explain({ url: "/x" }) };
  });
  return { all, merged: mergeExplanations(all as [(typeof all)[0]]) };
}

const nothing = () => {};
const begin = (proxy: ReturnType<typeof createProxy>) => {
  const pool = proxy.pools.get("api");
  const a = pool?.get("a");
  return pool !== undefined && a !== undefined ? pool.begin(a) : undefined;
};
const eject = (proxy: ReturnType<typeof createProxy>) => {
  for (let count = 0; count < 5; count++) begin(proxy)?.settle("reset");
};

test("explains once what all workers do alike, whatever is in flight in each", () => {
  const { all, merged } = explainAll([begin, nothing, begin]);
  expect(merged).toEqual({ ...all[0]?.explanation, workers: { agreeing: [1, 2, 3], others: [] } });
  expect(Object.isFrozen(merged.workers?.agreeing)).toBe(true);
});

test("explains what most workers do, and every other explanation once", () => {
  const drain = (proxy: ReturnType<typeof createProxy>) => proxy.pools.get("api")?.setState("b", "draining");
  const { all, merged } = explainAll([eject, nothing, eject, drain, nothing, nothing]);
  expect(merged).toMatchObject({ pool: all[1]?.explanation.pool });
  expect(merged.workers).toEqual({
    agreeing: [2, 5, 6],
    others: [
      { workers: [1, 3], explanation: all[0]?.explanation },
      { workers: [4], explanation: all[3]?.explanation },
    ],
  });
});

test("a refusal of one worker is a difference", () => {
  const refuse = (proxy: ReturnType<typeof createProxy>) => {
    for (const id of ["a", "b"]) proxy.pools.get("api")?.setState(id, "disabled");
  };
  const { merged } = explainAll([nothing, refuse]);
  expect(merged.refusal).toBe(null);
  expect(merged.workers?.others[0]?.explanation.refusal?.code).toBe("none_available");
});
