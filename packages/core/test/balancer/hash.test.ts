import { execFileSync } from "node:child_process";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { Balancer } from "../../src/balancer/balancer.ts";
import { policies } from "../../src/balancer/policies.ts";
import { Pool } from "../../src/pool/pool.ts";
import { policyContract } from "../contract/policy-contract.ts";
import { memberOf } from "../support/pools.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

policyContract("hash", policies.hash, { shares: "by-key" });

function balance(members: Readonly<Record<string, number>>, hashBalanceFactor = 0) {
  const upstreams = Object.entries(members).map(([id, weight]) => ({ id, weight, url: "http://127.0.0.1:3000" }));
  const runtime = { clock: new VirtualClock(), random: seededRandom() };
  const pool = new Pool("api", { upstreams, hashBalanceFactor }, runtime);
  const balancer = new Balancer(pool, { policy: "hash" }, runtime);
  const pick = (key: string) => balancer.pick({ key })?.id ?? "no upstream";
  const pickAll = (keys: readonly string[]) => keys.map(pick);
  return { pool, balancer, pick, pickAll };
}

function keysOf(count: number, name = (index: number) => `user-${index}`): string[] {
  return Array.from({ length: count }, (_, index) => name(index));
}

/** Equal upstreams by id. */
function equal(ids: readonly string[]): Record<string, number> {
  return Object.fromEntries(ids.map((id) => [id, 1]));
}

describe("keys and upstreams", () => {
  const ids = keysOf(5, (index) => `10.0.0.${index + 1}:3000`);

  test("match on every process, machine and version", () => {
    const keys = [
      "",
      "user-1",
      "user-2",
      "user-3",
      "203.0.113.7",
      "2001:db8::1",
      "/images/cat.png",
      "ключ",
      "\0",
      "😀",
    ];
    expect(balance(equal(ids)).pickAll(keys)).toEqual(
      [2, 2, 1, 2, 1, 2, 3, 3, 4, 4].map((host) => `10.0.0.${host}:3000`),
    );
    expect(balance({ a: 5, b: 1, c: 1 }).pickAll(keys).join(" ")).toBe("c a a a a a a a a a");
  });

  test("match in the compiled package in another process", () => {
    const keys = keysOf(200);
    const script = `
      import { Balancer, Pool } from "evenkeel";
      const [ids, keys] = JSON.parse(process.argv[1]);
      const upstreams = ids.map((id) => ({ id, url: "http://127.0.0.1:3000" }));
      const balancer = new Balancer(new Pool("api", { upstreams }), { policy: "hash" });
      console.log(JSON.stringify(keys.map((key) => balancer.pick({ key }).id)));`;
    const cwd = path.join(import.meta.dirname, "../..");
    const words = ["--input-type=module", "-e", script, JSON.stringify([ids, keys])];
    const picks: unknown = JSON.parse(execFileSync(process.execPath, words, { cwd, encoding: "utf8" }));
    expect(picks).toEqual(balance(equal(ids)).pickAll(keys));
  });

  test("match for any order of the upstreams and any earlier picks", () => {
    const keys = keysOf(500);
    const expected = balance(equal(ids)).pickAll(keys);
    const other = balance(equal([...ids].reverse()));
    other.pickAll([...keys].reverse());
    expect(other.pickAll(keys)).toEqual(expected);
  });

  test("a request without a key is placed by weight", () => {
    const { balancer } = balance({ a: 3, b: 1 });
    let picks = 0;
    for (let request = 0; request < 10_000; request++) if (balancer.pick()?.id === "a") picks++;
    expect(picks / 10_000).toBeCloseTo(0.75, 1);
  });
});

describe("over 10,000 keys", () => {
  const keys = keysOf(10_000);
  const ids = keysOf(10, (index) => `10.0.0.${index + 1}:3000`);

  test("an upstream that leaves moves only its own keys, which spread over all the others", () => {
    const { pool, pickAll } = balance(equal(ids));
    const before = pickAll(keys);
    const gone = ids[3] as string;
    pool.remove(gone);
    const after = pickAll(keys);
    const moved = keys.flatMap((_, index) => (before[index] === after[index] ? [] : [index]));
    expect(moved.every((index) => before[index] === gone)).toBe(true);
    expect(moved).toHaveLength(before.filter((id) => id === gone).length);
    for (const id of ids.filter((other) => other !== gone)) {
      const taken = moved.filter((index) => after[index] === id).length;
      expect(Math.abs(taken / moved.length - 1 / 9), id).toBeLessThan(0.04);
    }
  });

  test("an upstream that joins takes its share and no other key moves; after it leaves, all is as before", () => {
    const { pool, pickAll } = balance(equal(ids));
    const before = pickAll(keys);
    pool.add({ id: "new", url: "http://new.internal" });
    const after = pickAll(keys);
    const moved = keys.flatMap((_, index) => (before[index] === after[index] ? [] : [index]));
    expect(moved.every((index) => after[index] === "new")).toBe(true);
    expect(Math.abs(moved.length / keys.length - 1 / 11)).toBeLessThan(0.01);
    pool.remove("new");
    expect(pickAll(keys)).toEqual(before);
  });

  test("more weight gains keys and loses none", () => {
    const { pool, pickAll } = balance(equal(ids));
    const before = pickAll(keys);
    pool.setWeight(ids[0] as string, 3);
    const after = pickAll(keys);
    const moved = keys.flatMap((_, index) => (before[index] === after[index] ? [] : [index]));
    expect(moved.every((index) => after[index] === ids[0])).toBe(true);
    expect(Math.abs(moved.length / keys.length - (3 / 12 - 1 / 10))).toBeLessThan(0.015);
  });
});

test.each<Readonly<Record<string, number>>>([
  { a: 1, b: 1, c: 1 },
  { a: 5, b: 1, c: 1 },
  { a: 256, b: 128, c: 64, d: 1 },
])("100,000 keys are shared by weight: %j", (weights) => {
  const picks = balance(weights).pickAll(keysOf(100_000));
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  for (const [id, weight] of Object.entries(weights)) {
    const share = picks.filter((picked) => picked === id).length / picks.length;
    expect(Math.abs(share - weight / total), id).toBeLessThan(0.005);
  }
});

// Realistic, similar keys and ids. Chi-square with 9 degrees of freedom exceeds 27.9 once in 1,000 times; for the pairs of
// first and second choice, with 89 degrees, the value is 135.
test.each<[string, (index: number) => string, (index: number) => string]>([
  ["user names on ports of one host", (index) => `user-${index}`, (index) => `10.0.0.1:${3000 + index}`],
  [
    "addresses on hosts of one network",
    (index) => `10.1.${index >> 8}.${index & 255}`,
    (index) => `10.0.0.${index}:80`,
  ],
  [
    "hexadecimal numbers on single letters",
    (index) => index.toString(16).padStart(32, "0"),
    (index) => "abcdefghij"[index] ?? "",
  ],
  ["paths on host names", (index) => `/api/items/${index}?expand=all`, (index) => `api-${index}.internal:8080`],
  ["keys that are ids", (index) => `10.0.0.1:${index}`, (index) => `10.0.0.1:${3000 + index}`],
])("similar names do not affect the distribution: %s", (_name, keyOf, idOf) => {
  const { pool, pickAll } = balance(equal(keysOf(10, idOf)));
  const keys = keysOf(50_000, keyOf);
  const ids = pool.upstreams.map(({ id }) => id);
  const first = pickAll(keys);
  const pairs = new Map<string, number>();
  for (const id of ids) {
    const own = keys.filter((_, index) => first[index] === id);
    pool.setState(id, "draining");
    for (const second of pickAll(own)) pairs.set(`${id} ${second}`, (pairs.get(`${id} ${second}`) ?? 0) + 1);
    pool.setState(id, "active");
  }
  const firsts = ids.map((id) => first.filter((picked) => picked === id).length);
  expect(chiSquare(firsts, 10, keys.length)).toBeLessThan(27.9);
  expect(chiSquare([...pairs.values()], 90, keys.length)).toBeLessThan(135);
});

function chiSquare(counts: readonly number[], cells: number, total: number): number {
  const expected = total / cells;
  const seen = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  return seen + (cells - counts.length) * expected;
}

test("a key stays with its upstream at any number of requests in flight", () => {
  const { pool, balancer, pick } = balance(equal(["a", "b", "c", "d"]));
  const home = pick("hot");
  for (let request = 0; request < 200; request++) {
    expect(pick("hot")).toBe(home);
    pool.begin(memberOf(pool, home));
  }
  expect(balancer.weigh({ key: "hot" }).get(memberOf(pool, home))).toMatchObject({ chance: 1 });
  expect(balancer.weigh({ key: "hot" }).get(memberOf(pool, home))?.because).not.toContain("passed over");
});

describe("a hot key, with hashBalanceFactor = 1.5", () => {
  /** Begins `requests` for one key, all in flight; `trace` has the ids in the order of the picks. */
  function pile(requests: number) {
    const scene = balance(equal(["a", "b", "c", "d"]), 1.5);
    const begun = Array.from({ length: requests }, () => scene.pool.begin(memberOf(scene.pool, scene.pick("hot"))));
    return { ...scene, begun, trace: begun.map(({ upstream }) => upstream.id) };
  }

  test("fills its upstream to 1.5 times its share, then spills to the next one, deterministically", () => {
    const { pool, trace } = pile(40);
    // With n in flight, the bound for each of four is ceil((n + 1) * 1.5 / 4).
    const load = new Map<string, number>();
    for (const [inFlight, id] of trace.entries()) {
      const mine = (load.get(id) ?? 0) + 1;
      expect(mine).toBeLessThanOrEqual(Math.ceil(((inFlight + 1) * 1.5) / 4));
      load.set(id, mine);
    }
    expect(pool.upstreams.map(({ inFlight }) => inFlight).sort((one, other) => other - one)).toEqual([15, 15, 10, 0]);
    expect(pile(40).trace).toEqual(trace);
  });

  test("spills in the order in which upstreams would replace each other", () => {
    const { pool, pick } = balance(equal(["a", "b", "c", "d"]));
    const order: string[] = [];
    for (let left = 4; left > 0; left--) {
      const id = pick("hot");
      order.push(id);
      pool.setState(id, "draining");
    }
    expect([...new Set(pile(200).trace)]).toEqual(order.slice(0, 3));
  });

  test("returns to its upstream as soon as there is room", () => {
    const { pick, begun, trace } = pile(39);
    const home = trace[0] as string;
    expect(pick("hot")).not.toBe(home);
    for (const attempt of begun.filter(({ upstream }) => upstream.id === home).slice(0, 3)) attempt.settle("success");
    expect(pick("hot")).toBe(home);
  });

  test("moves other keys only when their upstream is full", () => {
    const { pick, trace } = pile(39);
    const full = new Set(trace.filter((id) => trace.filter((other) => other === id).length === 15));
    const calm = balance(equal(["a", "b", "c", "d"]));
    for (const key of keysOf(1_000)) {
      const home = calm.pick(key);
      if (!full.has(home)) expect(pick(key)).toBe(home);
    }
  });
});
