import { describe, expect, test } from "vitest";
import { describeEvent } from "../../dashboard/src/model/describe-event.ts";
import {
  effectOfAdding,
  effectOfEnabling,
  effectOfTakingOut,
  effectOfWeight,
  shareOf,
} from "../../dashboard/src/model/effects.ts";
import { formatDuration, formatMs, formatRate, formatRatio } from "../../dashboard/src/model/format.ts";
import { keepLast, type LoggedEvent, maxEvents } from "../../dashboard/src/model/kept-events.ts";
import { inPlainWords } from "../../dashboard/src/model/plain-words.ts";
import { countTrouble, tableRows } from "../../dashboard/src/model/table-rows.ts";
import type { Overview, PoolOverview, Problem, UpstreamOverview } from "../../src/overview/overview.ts";

function upstream(id: string, changes: Partial<UpstreamOverview> = {}): UpstreamOverview {
  const weight = changes.weight ?? 1;
  return {
    id,
    url: `http://${id}.internal:8080`,
    backup: false,
    discovered: false,
    state: "active",
    status: "healthy",
    since: 0,
    until: null,
    reason: "status 200",
    weight,
    effectiveWeight: weight,
    inFlight: 0,
    maxInFlight: null,
    tunnels: 0,
    traffic: { rate: 1, errorRatio: 0, p50: 1, p99: 2 },
    lastProbe: null,
    lastFailure: null,
    ejections: 0,
    ...changes,
  };
}

function pool(upstreams: readonly UpstreamOverview[], changes: Partial<PoolOverview> = {}): PoolOverview {
  return {
    name: "api",
    policy: "p2c",
    serving: true,
    panic: false,
    panicSince: null,
    since: 0,
    available: upstreams.length,
    total: upstreams.length,
    inFlight: 0,
    tunnels: 0,
    queueDepth: 0,
    queueMax: 100,
    outage: null,
    retriesPerSecond: 0,
    budgetExhaustedPerSecond: 0,
    traffic: { rate: 1, errorRatio: 0, p50: 1, p99: 2 },
    upstreams,
    ...changes,
  };
}

describe("the effect of an action", () => {
  const [a, b, c] = [upstream("a"), upstream("b", { inFlight: 3, tunnels: 1 }), upstream("c", { weight: 2 })];
  const spare = upstream("spare", { backup: true });

  test("says how many upstreams stay, and how much more each of them takes", () => {
    const { sentences, isDangerous } = effectOfTakingOut(pool([a, b, c]), b, "disable");
    expect(isDangerous).toBe(false);
    expect(sentences).toEqual([
      "2 of 3 upstreams stay. Each takes about 33 % more requests.",
      "3 requests and 1 tunnel in flight are finished.",
    ]);
    expect(effectOfTakingOut(pool([a, b]), b, "drain").sentences[0]).toBe(
      "1 of 2 upstreams stays. It takes about 100 % more requests.",
    );
  });

  test("warns when no upstream stays, and names the backups that take over", () => {
    const alone = effectOfTakingOut(pool([a]), a, "remove");
    expect(alone.isDangerous).toBe(true);
    expect(alone.sentences[0]).toBe("No other upstream of api serves. Its requests will fail.");
    expect(effectOfTakingOut(pool([a, spare]), a, "drain").sentences[0]).toBe(
      "No other upstream of api serves. Requests go to 1 backup.",
    );
    expect(effectOfWeight(pool([a]), a, 0).isDangerous).toBe(true);
  });

  test("only upstreams that get requests have a share of them", () => {
    const members = [a, c, upstream("down", { status: "unhealthy" }), upstream("spare", { backup: true })];
    expect(members.map((member) => shareOf(pool(members), member))).toEqual([1 / 3, 2 / 3, undefined, undefined]);
  });

  test("changes no share by an upstream that gets no requests", () => {
    const down = upstream("down", { status: "unhealthy" });
    expect(effectOfTakingOut(pool([a, down]), down, "remove").sentences[0]).toContain("gets no requests now");
    const panic = pool([down], { panic: true });
    expect(effectOfTakingOut(panic, down, "drain").sentences[0]).toContain("panic");
  });

  test("gives the share of a weight, with the factors that reduce it now", () => {
    expect(effectOfWeight(pool([a, c]), c, 3).sentences).toEqual([
      "c gets about 75 % of the requests of api instead of 67 %.",
    ]);
    const slow = upstream("slow", { weight: 2, effectiveWeight: 1 });
    expect(effectOfWeight(pool([a, slow]), slow, 4).sentences).toEqual([
      "slow gets about 67 % of the requests of api instead of 50 %.",
      "Its effective weight is 2 at first, as it is reduced now.",
    ]);
    const off = upstream("off", { state: "disabled", status: "disabled" });
    expect(effectOfEnabling(pool([a, off]), off).sentences[0]).toContain("about 50 %");
    expect(effectOfAdding(pool([a, c]), 1, false).sentences[0]).toContain("about 25 %");
    expect(effectOfAdding(pool([a]), 1, true).sentences[0]).toContain("no other upstream");
  });
});

describe("the rows of the table", () => {
  const troubled = upstream("b", { status: "ejected", reason: "failure-ratio" });
  const reported: Problem = {
    severity: "warning",
    pool: "api",
    upstream: "c",
    status: "errors",
    since: null,
    until: null,
    text: "api/c fails 20 % of its requests",
  };
  const pools = [
    pool([upstream("a", { traffic: { rate: 5, errorRatio: 0, p50: 1, p99: 2 } }), troubled, upstream("c")]),
    pool([upstream("d10"), upstream("d9"), upstream("d1", { status: "disabled", state: "disabled" })], {
      name: "other",
    }),
  ];
  const overview = { pools, problems: [reported] } as unknown as Overview;
  const ids = (filter: { text?: string; onlyTrouble?: boolean }, sorting?: Parameters<typeof tableRows>[2]) =>
    tableRows(overview, { text: "", onlyTrouble: false, ...filter }, sorting).map((row) =>
      row.kind === "pool" ? `${row.pool.name}:${row.hidden}` : row.upstream.id,
    );

  test("are in the order of the configuration, or sorted within their pool", () => {
    expect(ids({})).toEqual(["api:0", "a", "b", "c", "other:0", "d10", "d9", "d1"]);
    expect(ids({}, { column: "name", descending: false })).toEqual([
      "api:0",
      "a",
      "b",
      "c",
      "other:0",
      "d1",
      "d9",
      "d10",
    ]);
    expect(ids({}, { column: "rate", descending: true })[1]).toBe("a");
    expect(ids({}, { column: "status", descending: true })[1]).toBe("b");
  });

  test("are filtered by words and by trouble; what an operator has taken out is no trouble", () => {
    expect(ids({ text: "api ejected" })).toEqual(["api:2", "b"]);
    expect(ids({ onlyTrouble: true })).toEqual(["api:1", "b", "c"]);
    expect(ids({ text: "nothing" })).toEqual([]);
    expect(countTrouble(overview)).toBe(2);
  });
});

describe("texts", () => {
  test("numbers and times are short", () => {
    expect([null, 0, 0.01, 3.14, 1234.5].map(formatRate)).toEqual(["–", "0", "<0.1", "3.1", "1,235"]);
    expect([null, 0, 0.0004, 0.031, 0.5].map(formatRatio)).toEqual(["–", "0 %", "<0.1 %", "3.1 %", "50 %"]);
    expect([null, 0.5, 4.25, 250, 12_000].map(formatMs)).toEqual(["–", "0.50 ms", "4.3 ms", "250 ms", "12.0 s"]);
    expect([-5, 59_999, 134_000, 3_900_000, 90_000_000].map(formatDuration)).toEqual([
      "0 s",
      "59 s",
      "2 min 14 s",
      "1 h 5 min",
      "1 d 1 h",
    ]);
  });

  test("codes get plain words, and unknown ones stay", () => {
    expect(inPlainWords("api/b is unhealthy: connect_refused")).toBe(
      "api/b is unhealthy: connection refused (connect_refused)",
    );
    expect(inPlainWords("status 503, reset-button")).toBe("status 503, reset-button");
  });

  test("every event has a sentence, whatever its fields are", () => {
    const health = { pool: "api", upstream: "b", from: "healthy", to: "unhealthy", reason: "status 503", worker: 2 };
    expect(describeEvent("health", health)).toEqual({
      tone: "bad",
      pool: "api",
      upstream: "b",
      text: "became unhealthy: status 503 (worker 2)",
    });
    const eject = { pool: "api", upstream: "b", reason: "failure-ratio", forMs: 30_000 };
    expect(describeEvent("eject", eject).text).toBe("was ejected for 30 s: too many failures (failure-ratio)");
    expect(describeEvent("reload", { ok: false, error: { message: "no pool" } }).text).toBe(
      "A reload was rejected: no pool",
    );
    for (const name of ["weight", "state", "member", "discovery", "readmit"] as const) {
      expect(describeEvent(name, {}).text).not.toBe("");
    }
  });

  test("what upstreams do by themselves displaces no other event", () => {
    const change = { pool: "api", upstream: "b", from: "healthy", to: "unhealthy" };
    let events: readonly LoggedEvent[] = [{ key: 0, time: 0, name: "health", data: change }];
    for (let key = 1; key < 2 * maxEvents; key++) {
      const data = key % 2 === 0 ? { reason: "feedback" } : { from: "unknown", to: "healthy" };
      events = keepLast([{ key, time: key, name: key % 2 === 0 ? "weight" : "health", data }, ...events]);
    }
    expect([events.length, events[0]?.key, events.at(-1)?.key]).toEqual([maxEvents, 2 * maxEvents - 1, 0]);
    for (let key = 1; key <= maxEvents; key++)
      events = keepLast([{ key, time: key, name: "state", data: {} }, ...events]);
    expect(events.map(({ name }) => name)).toEqual(new Array(maxEvents).fill("state"));
  });
});
