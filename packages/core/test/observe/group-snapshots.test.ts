import { expect, test } from "vitest";
import { toLatencyBounds } from "../../src/config/resolve.ts";
import { GroupSnapshots } from "../../src/observe/group-snapshots.ts";
import { type Counts, continues, countsOf, keep } from "../../src/observe/snapshot-counts.ts";
import { Histogram } from "../../src/pool/statistics/histogram.ts";
import type { ProxySnapshot } from "../../src/snapshot.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { poolOf, snapshotOf, upstreamOf } from "../support/snapshots.ts";

function allCounts(snapshot: ProxySnapshot): Map<string, Counts> {
  const { members, series } = countsOf(snapshot);
  return new Map([...members, ...series]);
}

type Config = ReadonlyMap<string, ReadonlySet<string>>;

class ModelUpstream {
  readonly latency = new Histogram(toLatencyBounds());
  readonly outcomes = { success: 0, reset: 0 };
}

class ModelPool {
  retries = 0;
  bytesIn = 0;
  readonly upstreams = new Map<string, ModelUpstream>();
}

/** Multiples of 1/8 s, whose sums are exact in any order. */
function someMs(random: () => number): number {
  return 125 * Math.floor(random() * 24);
}

/** A process with made-up traffic, whose snapshots are like those of a proxy. */
class Process {
  readonly #random: () => number;
  readonly #pools = new Map<string, ModelPool>();
  readonly #durations = new Histogram(toLatencyBounds());
  #requests = 0;

  constructor(random: () => number, config: Config) {
    this.#random = random;
    this.reload(config);
  }

  /** A pool or an upstream that is added again counts from 0. */
  reload(config: Config): void {
    for (const name of this.#pools.keys()) if (!config.has(name)) this.#pools.delete(name);
    for (const [name, ids] of config) {
      const pool = this.#pools.get(name) ?? new ModelPool();
      this.#pools.set(name, pool);
      for (const id of pool.upstreams.keys()) if (!ids.has(id)) pool.upstreams.delete(id);
      for (const id of ids) if (!pool.upstreams.has(id)) pool.upstreams.set(id, new ModelUpstream());
    }
  }

  setBounds(bounds: readonly number[]): void {
    this.#durations.setBounds(bounds);
    for (const { upstreams } of this.#pools.values()) {
      for (const { latency } of upstreams.values()) latency.setBounds(bounds);
    }
  }

  serve(): void {
    this.#requests++;
    this.#durations.record(someMs(this.#random));
    for (const pool of this.#pools.values()) {
      pool.retries += Math.floor(this.#random() * 2);
      pool.bytesIn += Math.floor(this.#random() * 1_000);
      for (const { latency, outcomes } of pool.upstreams.values()) {
        latency.record(someMs(this.#random));
        outcomes[this.#random() < 0.8 ? "success" : "reset"]++;
      }
    }
  }

  snapshot(): ProxySnapshot {
    const labels = { route: "/*", pool: "api" };
    return snapshotOf({
      pools: [...this.#pools].map(([name, { retries, bytesIn, upstreams }]) =>
        poolOf({
          name,
          bytesIn,
          retries: { reset: retries },
          upstreams: [...upstreams].map(([id, { outcomes, latency }]) =>
            upstreamOf({ id, outcomes: { ...outcomes }, latency: latency.snapshot() }),
          ),
        }),
      ),
      requests: [{ ...labels, method: "GET", code: 200, count: this.#requests }],
      durations: [{ ...labels, histogram: this.#durations.snapshot() }],
    });
  }
}

/** A group, and what its merged counts must be. */
class Group {
  readonly snapshots = new GroupSnapshots();
  readonly base: Process;
  readonly workers = new Map<string, Process>();
  readonly #reported = new Map<string, ReadonlyMap<string, Counts>>();
  readonly #gone = new Map<string, Counts>();

  constructor(base: Process) {
    this.base = base;
  }

  report(id: string, snapshot: ProxySnapshot, role: "worker" | "predecessor" = "worker"): void {
    this.snapshots.report(id, snapshot, role);
    this.#reported.set(id, allCounts(snapshot));
  }

  end(id: string): void {
    this.snapshots.end(id);
    this.workers.delete(id);
    keep(this.#gone, this.#reported.get(id) ?? []);
    this.#reported.delete(id);
  }

  /** What a reload removes of a worker is reported before. */
  reload(config: Config): void {
    this.base.reload(config);
    for (const [id, worker] of this.workers) {
      const before = allCounts(worker.snapshot());
      this.report(id, worker.snapshot());
      worker.reload(config);
      this.report(id, worker.snapshot());
      for (const key of allCounts(worker.snapshot()).keys()) before.delete(key);
      keep(this.#gone, before);
    }
  }

  expected(): Map<string, Counts> {
    const total = allCounts(this.base.snapshot());
    for (const counts of [this.#gone, ...this.#reported.values()]) {
      keep(
        total,
        [...counts].filter(([key]) => total.has(key)),
      );
    }
    return total;
  }
}

test.each([1, 2, 3, 4, 5])("no count is lost, and none decreases, whatever becomes of processes: seed %s", (seed) => {
  const random = seededRandom(seed);
  const chance = (probability: number) => random() < probability;
  const someConfig = () => {
    const pools = ["api", "web", "img"].filter((name) => name === "api" || chance(0.6));
    return new Map(pools.map((name) => [name, new Set(["a", "b", "c"].filter(() => chance(0.7)))]));
  };
  let config: Config = someConfig();
  let started = 0;
  const start = (to: Group) => {
    const id = `worker ${++started}`;
    const worker = new Process(random, config);
    to.workers.set(id, worker);
    to.report(id, worker.snapshot());
  };
  const shown = new Map<string, Counts>();
  let group = new Group(new Process(random, config));
  let old: Group | undefined;
  for (let count = 0; count < 3; count++) start(group);

  for (let step = 0; step < 400; step++) {
    for (const worker of [...group.workers.values(), ...(old?.workers.values() ?? [])]) if (chance(0.7)) worker.serve();
    for (const [id, worker] of group.workers) if (chance(0.5)) group.report(id, worker.snapshot());
    if (old !== undefined) {
      for (const [id, worker] of old.workers) old.report(id, worker.snapshot());
      group.report("predecessor", { ...old.snapshots.merge(old.base.snapshot()), draining: true }, "predecessor");
      for (const id of [...old.workers.keys()]) if (chance(0.3)) old.end(id);
      if (old.workers.size === 0) {
        group.end("predecessor");
        old = undefined;
      }
    } else if (chance(0.03)) {
      old = group;
      group = new Group(new Process(random, config));
      for (let count = 0; count < 3; count++) start(group);
      group.report("predecessor", old.snapshots.merge(old.base.snapshot()), "predecessor");
    } else if (chance(0.1)) {
      config = someConfig();
      group.reload(config);
    }
    if (chance(0.15)) {
      const [id] = group.workers.keys();
      if (id !== undefined) group.end(id);
      start(group);
    }
    const merged = allCounts(group.snapshots.merge(group.base.snapshot()));
    expect(merged).toEqual(group.expected());
    for (const [key, counts] of merged) {
      expect(continues(counts, shown.get(key) ?? {}), key).toBe(true);
      shown.set(key, counts);
    }
    // A group does not know what its predecessor had removed before.
    for (const key of shown.keys()) if (!merged.has(key) && old !== undefined) shown.delete(key);
  }
});

const upstreamWith = (success: number) =>
  snapshotOf({ pools: [poolOf({ upstreams: [upstreamOf({ outcomes: { success } })] })] });
const without = snapshotOf({ pools: [poolOf({ upstreams: [] })] });
const successesOf = ({ pools }: ProxySnapshot) => pools[0]?.upstreams[0]?.outcomes.success;

test("an upstream that is added again while it drains continues, and one that counts anew is added", () => {
  const group = new GroupSnapshots();
  const base = upstreamWith(0);
  for (const snapshot of [upstreamWith(5), without, upstreamWith(7)]) group.report("1", snapshot);
  expect(successesOf(group.merge(base))).toBe(7);
  for (const snapshot of [without, upstreamWith(2)]) group.report("1", snapshot);
  expect(successesOf(group.merge(base))).toBe(9);
  group.report("1", upstreamWith(1));
  expect(successesOf(group.merge(base))).toBe(10);
  group.report("1", without);
  group.end("1");
  group.end("1");
  expect(successesOf(group.merge(base))).toBe(10);
});

test("the counts of the base itself stay when a reload removes and adds an upstream", () => {
  const group = new GroupSnapshots();
  group.merge(upstreamWith(5));
  group.merge(without);
  expect(successesOf(group.merge(upstreamWith(2)))).toBe(7);
});

test("the memory for what is gone is bounded, and what a process still counts is never forgotten", () => {
  const group = new GroupSnapshots();
  const base = upstreamWith(1);
  group.merge(base);
  group.report("first", upstreamWith(3));
  group.end("first");
  const many = (from: number) =>
    snapshotOf({
      requests: Array.from({ length: 6_000 }, (_, index) => ({
        route: `/${from + index}`,
        pool: "api",
        method: "GET",
        code: 200,
        count: 1,
      })),
    });
  for (let round = 0; round < 4; round++) {
    group.report(`${round}`, many(round * 6_000));
    group.end(`${round}`);
  }
  const merged = group.merge(base);
  expect(merged.requests.length).toBeLessThanOrEqual(10_000);
  expect(merged.requests.at(-1)?.route).toBe("/23999");
  expect(successesOf(merged)).toBe(4);
});

test.each([1, 2, 3])("reloads with other buckets lose no duration and decrease no count: seed %s", (seed) => {
  const random = seededRandom(seed);
  const someBounds = () => [0.125, 0.5, 1, 2, 3].filter(() => random() < 0.6);
  const config: Config = new Map([["api", new Set(["a"])]]);
  const group = new GroupSnapshots();
  const [base, ...workers] = Array.from({ length: 4 }, () => new Process(random, config));
  let served = 0;
  let count = 0;
  let bounds: readonly number[] = [];
  const buckets = new Map<number, number>();
  for (let step = 0; step < 200; step++) {
    const changed = step === 0 || random() < 0.1;
    if (changed) bounds = someBounds();
    for (const [index, worker] of workers.entries()) {
      worker.serve();
      served++;
      if (changed) worker.setBounds(bounds);
      group.report(`${index}`, worker.snapshot());
    }
    if (changed) base?.setBounds(bounds);
    const merged = group.merge((base as Process).snapshot());
    const histograms = [merged.durations[0]?.histogram, merged.pools[0]?.upstreams[0]?.latency];
    expect(histograms.map((one) => [one?.count, one?.bounds])).toEqual([
      [served, bounds],
      [served, bounds],
    ]);
    expect(served).toBeGreaterThan(count);
    count = served;
    if (changed) buckets.clear();
    for (const [index, bound] of bounds.entries()) {
      const atMost = histograms[0]?.counts[index] as number;
      expect(atMost).toBeGreaterThanOrEqual(buckets.get(bound) ?? 0);
      buckets.set(bound, atMost);
    }
  }
});
