import { expect, test } from "vitest";
import type { SharedState } from "../../src/coordination/shared-state.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { PoolGroup } from "./pools.ts";

const odd: readonly unknown[] = [
  ...[null, undefined, true, Number.NaN, Infinity, -1, 0.5, 2 ** 53, 1e300, "", "\n", "a", "__proto__", "constructor"],
  ...[
    "x".repeat(5_000),
    [],
    {},
    [[]],
    { length: 1e9 },
    "unix:/",
    "http://a:99999",
    "http://u:p@a",
    "javascript:1",
    "-5s",
    "9e9s",
  ],
];

/** A valid update in which some values, at any depth, are others. */
function mutated(value: unknown, random: () => number): unknown {
  if (random() < 0.03) return odd[Math.floor(random() * odd.length)];
  if (Array.isArray(value)) return value.map((one) => mutated(one, random));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, mutated(one, random)]));
}

function validUpdate(state: SharedState, random: () => number): unknown {
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T;
  const upstream = pick(["a", "b", "c"]);
  const url = `http://${upstream}.internal:3000`;
  const about = { pool: "api", upstream };
  const at = Date.UTC(2025, 0, 1) + Math.floor(random() * 1_000);
  const stamp = { time: at, count: 0, by: "q" };
  const by = { by: "q", sequence: Math.floor(random() * 1e6) };
  const options = { url, weight: 3, maxInFlight: 5, backup: true };
  const intent = [
    { ...about, stamp, field: "weight", value: { url, weight: Math.floor(random() * 257), configured: 1 } },
    { ...about, stamp, field: "state", value: { url, state: pick(["active", "draining"]), timeout: "1s" } },
    { ...about, stamp, field: "member", value: { options: pick([null, options]), generation: state.generation } },
  ];
  const evidence = [
    {
      ...about,
      ...by,
      kind: "verdict",
      url,
      health: pick(["healthy", "unhealthy"]),
      reason: "reset",
      transport: true,
      at,
    },
    { ...about, ...by, kind: pick(["probe", "failure"]), at },
    { ...about, ...by, kind: "ejection", until: at + 5_000 },
  ];
  return { version: 1, intent, evidence };
}

test("whatever another participant sends, the pool stays valid and works", async () => {
  for (let seed = 1; seed <= 5; seed++) {
    const random = seededRandom(seed);
    const group = new PoolGroup({ healthCheck: {} }, { a: 1, b: 1 }, random);
    const p = group.add("p");
    group.join("q", { isProber: () => false });
    for (let update = 0; update < 400; update++) {
      p.state.receive(mutated(validUpdate(p.state, random), random));
      if (update % 50 === 0) await group.clock.advanceAsync(500);
    }
    for (const { id, url, weight, state, health } of p.pool.upstreams) {
      expect(id).toMatch(/^[^\p{Cc}]{1,2048}$/u);
      expect(url).toMatch(/^http:\/\/[abc]\.internal:3000$/);
      expect(Number.isInteger(weight) && weight >= 0 && weight <= 256).toBe(true);
      expect(["active", "draining"]).toContain(state);
      expect(["unknown", "healthy", "unhealthy"]).toContain(health);
    }
    expect(p.state.intent().length).toBeLessThan(600);
    p.pool.add({ id: "mine", url: "http://mine.internal:3000" });
    p.request("mine");
    await group.clock.advanceAsync(5_000);
    expect(p.pool.get("mine")).toMatchObject({ health: "healthy", available: true });
  }
});
