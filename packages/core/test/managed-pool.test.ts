import { describe, expect, test } from "vitest";
import type { PoolOptions } from "../src/config/options.ts";
import { resolvePool } from "../src/config/resolve.ts";
import type { ProbeResult } from "../src/health/probe.ts";
import { ManagedPool } from "../src/managed-pool.ts";
import { memberOf, upstreamsOf } from "./support/pools.ts";
import { VirtualClock } from "./support/virtual-clock.ts";

type Settings = Omit<PoolOptions, "upstreams">;

/** A managed pool on virtual time, whose probes get what `answer` says, or nothing. */
function lab(settings: Settings, members: readonly string[] = ["a", "b", "c"]) {
  const clock = new VirtualClock();
  const runtime = { clock, random: () => 0 };
  const resolve = (others: Settings, ids: readonly string[] = members) =>
    resolvePool({
      outlierDetection: false,
      ...others,
      upstreams: upstreamsOf(Object.fromEntries(ids.map((id) => [id, { maxInFlight: 2 }]))),
    });
  const answer: { result: ProbeResult | undefined } = { result: undefined };
  let probes = 0;
  const probe = () => {
    probes++;
    return answer.result === undefined ? new Promise<never>(() => {}) : Promise.resolve(answer.result);
  };
  const managed = new ManagedPool("api", resolve(settings), runtime, { probe });
  const { pool } = managed;
  return {
    clock,
    managed,
    pool,
    answer,
    probes: () => probes,
    reload: (others: Settings, ids?: readonly string[]) => managed.reconfigure(resolve(others, ids)),
    held: () => pool.upstreams.filter(({ held }) => held).map(({ id }) => id),
    begin: (id: string) => pool.begin(memberOf(pool, id)),
  };
}

const status503: ProbeResult = { ok: false, reason: "status 503" };
const healthCheck = { interval: "10s", timeout: "1s", unhealthyThreshold: 1, jitter: 0 } as const;

/** Each kind of watcher: options that ask for it, what leads it to a verdict on `a`, and whether that is in force. */
const kinds = [
  {
    kind: "health checks",
    settings: { healthCheck },
    other: { healthCheck: { ...healthCheck, path: "/other" } },
    async judge({ clock, answer }: ReturnType<typeof lab>) {
      answer.result = status503;
      await clock.advanceAsync(1_000);
    },
    inForce: ({ pool }: ReturnType<typeof lab>) => memberOf(pool, "a").health === "unhealthy",
  },
  {
    kind: "outlier detection",
    settings: { outlierDetection: { consecutiveFailures: 1 } },
    other: { outlierDetection: { consecutiveFailures: 2 } },
    judge: ({ begin }: ReturnType<typeof lab>) => begin("a").settle("reset"),
    inForce: ({ pool }: ReturnType<typeof lab>) => memberOf(pool, "a").ejectedUntil !== undefined,
  },
  {
    kind: "weight feedback",
    settings: { weights: {} },
    other: { weights: { interval: "7s" } },
    async judge({ begin, clock }: ReturnType<typeof lab>) {
      for (const id of ["a", "b", "c"]) {
        for (let count = 0; count < 20; count++) {
          const attempt = begin(id);
          attempt.responded(id === "a" ? 500 : 10, 200);
          attempt.settle("success");
        }
      }
      await clock.advanceAsync(10_000);
    },
    inForce: ({ pool }: ReturnType<typeof lab>) => memberOf(pool, "a").feedback < 1,
  },
] as const;

describe.each(kinds)("$kind", ({ settings, other, judge, inForce }) => {
  test("keep their verdict over reloads with the same and with other options, and when the pool stops", async () => {
    const tools = lab(settings);
    await judge(tools);
    expect(inForce(tools)).toBe(true);
    tools.reload(settings);
    expect(inForce(tools)).toBe(true);
    tools.reload(other);
    expect(inForce(tools)).toBe(true);
    tools.managed.stop();
    expect(inForce(tools)).toBe(true);
    expect(tools.clock.pending).toBe(0);
  });

  test("withdraw it when the options do not ask for them any more, and judge again when they do", async () => {
    const tools = lab(settings);
    await judge(tools);
    tools.reload({});
    expect(inForce(tools)).toBe(false);
    expect(tools.clock.pending).toBe(0);
    tools.reload(settings);
    expect(inForce(tools)).toBe(false);
    await judge(tools);
    expect(inForce(tools)).toBe(true);
  });
});

describe("health checks that hold upstreams back until their first verdict", () => {
  const checking = { healthCheck: { ...healthCheck, initialState: "checking" } } as const;
  const otherwise = { healthCheck: { ...healthCheck, initialState: "checking", path: "/other" } } as const;

  test("hold from the start, and release when the pool stops", () => {
    const { held, managed } = lab(checking);
    expect(held()).toEqual(["a", "b", "c"]);
    managed.stop();
    expect(held()).toEqual([]);
  });

  test("hold back the upstreams that join when checks are switched on, and not those that serve", () => {
    const { held, reload, begin } = lab({});
    for (const _ of [1, 2]) begin("a");
    reload(checking, ["a", "b", "c", "d"]);
    expect(held()).toEqual(["d"]);
  });

  test("hold back the upstreams that join with the reload that asks for it, and not those that serve", () => {
    const { held, reload, begin } = lab({ healthCheck });
    for (const _ of [1, 2]) begin("a");
    reload(checking, ["a", "b", "c", "d"]);
    expect(held()).toEqual(["d"]);
  });

  test("hold no busy upstream back when their options change, and keep held ones held", async () => {
    const { held, reload, begin, answer, clock, pool, probes } = lab({});
    reload(checking, ["a", "b", "c", "d"]);
    const busy = [begin("a"), begin("a")];
    expect(memberOf(pool, "a").full).toBe(true);
    let woken = 0;
    pool.queue.enter({ onTimeout() {}, onRoom: () => void woken++, waitsFor: memberOf(pool, "d") });
    reload(otherwise, ["a", "b", "c", "d"]);
    expect(held()).toEqual(["d"]);
    expect(woken).toBe(0);
    for (const attempt of busy) attempt.settle("success");
    answer.result = { ok: true, reason: "status 200" };
    const before = probes();
    await clock.advanceAsync(1_000);
    expect(probes()).toBe(before + 4);
    expect([held(), woken]).toEqual([[], 1]);
  });

  test("release them when the new options do not hold back", () => {
    const { held, reload } = lab(checking);
    reload({ healthCheck });
    expect(held()).toEqual([]);
  });
});
