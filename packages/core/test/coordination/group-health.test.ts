import { describe, expect, test } from "vitest";
import { hung } from "../../src/health/probe-error.ts";
import { memberOf } from "../support/pools.ts";
import { healthOf, type Participant, PoolGroup, refused, status503 } from "./pools.ts";

const healthCheck = { interval: "5s", fastInterval: "1s", unhealthyThreshold: 3, jitter: 0 } as const;

function four(settings: ConstructorParameters<typeof PoolGroup>[0] = {}) {
  const group = new PoolGroup({ healthCheck, ...settings });
  const participants = ["p", "q", "r", "s"].map((id) => group.add(id)) as [
    Participant,
    Participant,
    Participant,
    Participant,
  ];
  return { group, participants };
}

describe("one prober for the group", () => {
  test("each upstream is probed once an interval, and a verdict costs one message", async () => {
    const { group, participants } = four();
    await group.clock.advanceAsync(1_000);
    expect(group.takeSent().sort()).toEqual(["p: verdict healthy a", "p: verdict healthy b"]);
    await group.clock.advanceAsync(60_000);
    for (const id of ["a", "b"]) {
      const times = group.probes.filter(([, , upstream]) => upstream === id).map(([time]) => time);
      expect(times.length).toBe(13);
      expect(times.slice(1).map((time, at) => Math.round(time - (times[at] ?? 0)))).toEqual(Array(12).fill(5_000));
    }
    expect(new Set(group.probes.map(([, participant]) => participant))).toEqual(new Set(["p"]));
    expect(group.takeSent()).toEqual([]);
    group.results.a = status503;
    await group.clock.advanceAsync(10_000);
    expect(group.takeSent()).toEqual(["p: verdict unhealthy a"]);
    for (const one of participants) expect(healthOf(one)).toEqual({ a: "unhealthy", b: "healthy" });
    delete group.results.a;
    await group.clock.advanceAsync(10_000);
    expect(group.takeSent()).toEqual(["p: verdict healthy a"]);
    for (const one of participants) {
      expect(healthOf(one)).toEqual({ a: "healthy", b: "healthy" });
      expect(one.events.filter(([id]) => id === "a")).toEqual([
        ["a", "healthy", "status 200"],
        ["a", "unhealthy", "status 503"],
        ["a", "healthy", "status 200"],
      ]);
    }
    const counted = participants.map(({ pool }) => pool.upstreamSnapshot("a")?.probes.success);
    expect(counted).toEqual([expect.any(Number), 0, 0, 0]);
  });

  test("a participant that takes the place of another one has the verdicts at once", async () => {
    const { group } = four({ healthCheck: { ...healthCheck, initialState: "checking" } });
    group.results.b = status503;
    await group.clock.advanceAsync(4_000);
    group.leave("s");
    const late = group.add("s'");
    expect(healthOf(late)).toEqual({ a: "healthy", b: "unhealthy" });
    expect(late.pool.available.map(({ id }) => id)).toEqual(["a"]);
    // The verdict counts as a success of the pool, so that requests wait while the upstream restarts.
    late.request("a", "connect_refused");
    expect(late.pool.outage.snapshot).not.toBeNull();
  });

  test("with initialState checking, all wait for the first verdict, also for an upstream of a reload", async () => {
    const { group, participants } = four({ healthCheck: { ...healthCheck, initialState: "checking" } });
    for (const { pool } of participants) expect(pool.available).toEqual([]);
    await group.clock.advanceAsync(1_000);
    for (const { pool } of participants) expect(pool.available).toHaveLength(2);
    for (const one of participants) one.reload({}, { a: 1, b: 1, c: 1 });
    for (const { pool } of participants) expect(memberOf(pool, "c").held).toBe(true);
    await group.clock.advanceAsync(1_000);
    for (const { pool } of participants) expect(memberOf(pool, "c")).toMatchObject({ held: false, health: "healthy" });
  });

  test("when the prober is gone, another participant probes, and the verdicts stay meanwhile", async () => {
    const { group, participants } = four();
    const [p, q, r] = participants;
    group.results.a = status503;
    await group.clock.advanceAsync(5_000);
    p.managed.stop();
    group.leave("p");
    expect(healthOf(q)).toEqual({ a: "unhealthy", b: "healthy" });
    group.probes.length = 0;
    group.takeSent();
    await group.clock.advanceAsync(20_000);
    expect(new Set(group.probes.map(([, participant]) => participant))).toEqual(new Set(["q"]));
    expect(group.takeSent().sort()).toEqual(["q: verdict healthy b", "q: verdict unhealthy a"]);
    delete group.results.a;
    await group.clock.advanceAsync(10_000);
    expect(healthOf(r)).toEqual({ a: "healthy", b: "healthy" });
    expect(r.events.filter(([id]) => id === "a")).toHaveLength(2);
  });

  test("health checks can be switched off and on by a reload, in any order", async () => {
    const { group, participants } = four();
    group.results.a = status503;
    await group.clock.advanceAsync(5_000);
    const [p, q] = participants;
    p.reload({ healthCheck: undefined as never });
    expect(healthOf(p)).toEqual({ a: "unknown", b: "unknown" });
    expect(healthOf(q)).toEqual({ a: "unhealthy", b: "healthy" });
    for (const one of participants.slice(1)) one.reload({ healthCheck: undefined as never });
    group.probes.length = 0;
    await group.clock.advanceAsync(10_000);
    expect(group.probes).toEqual([]);
    for (const one of participants) expect(healthOf(one)).toEqual({ a: "unknown", b: "unknown" });
    delete group.results.a;
    for (const one of participants.toReversed()) one.reload({});
    for (const one of participants) expect(healthOf(one)).toEqual({ a: "unknown", b: "unknown" });
    await group.clock.advanceAsync(2_000);
    for (const one of participants) expect(healthOf(one)).toEqual({ a: "healthy", b: "healthy" });
  });

  test("another server with the same id has no verdict yet", async () => {
    const { group, participants } = four();
    group.results.a = status503;
    await group.clock.advanceAsync(5_000);
    const [, q] = participants;
    q.pool.reconfigure({
      ...q.pool.options,
      upstreams: q.pool.options.upstreams.map((one) => ({ ...one, url: `${one.url}1` })),
    });
    expect(healthOf(q)).toEqual({ a: "unknown", b: "unknown" });
  });

  test("a carrier that delays, doubles, loses and reorders leads to the same verdicts", async () => {
    const { group, participants } = four();
    group.delivery = { delayMs: 3_000, lost: 0.2, doubled: 0.3 };
    for (let round = 0; round < 20; round++) {
      if (round % 2 === 0) group.results.a = status503;
      else delete group.results.a;
      await group.clock.advanceAsync(4_500);
    }
    group.delivery = {};
    await group.clock.advanceAsync(20_000);
    group.reconcile();
    for (const one of participants) expect(healthOf(one)).toEqual(healthOf(participants[0]));
  });
});

describe("several probers", () => {
  test("an upstream is unhealthy only if all its probers agree, and probes move with their prober", async () => {
    const group = new PoolGroup({ healthCheck });
    let probers = ["p", "q"];
    const [p, q, r] = ["p", "q", "r"].map((id) => group.add(id, () => probers.includes(id))) as [
      Participant,
      Participant,
      Participant,
    ];
    await group.clock.advanceAsync(2_000);
    group.results["p a"] = refused;
    await group.clock.advanceAsync(10_000);
    for (const one of [p, q, r]) expect(healthOf(one)).toEqual({ a: "healthy", b: "healthy" });
    group.results["q a"] = refused;
    await group.clock.advanceAsync(10_000);
    for (const one of [p, q, r]) expect(healthOf(one)).toEqual({ a: "unhealthy", b: "healthy" });
    delete group.results["q a"];
    await group.clock.advanceAsync(10_000);
    for (const one of [p, q, r]) expect(healthOf(one)).toEqual({ a: "healthy", b: "healthy" });
    probers = ["p"];
    for (const { state } of [p, q, r]) state.setParticipants(["p", "q", "r"]);
    await group.clock.advanceAsync(0);
    for (const one of [p, q, r]) expect(healthOf(one)).toEqual({ a: "unhealthy", b: "healthy" });
  });
});

describe("a participant's own requests come first", () => {
  /** Only the prober cannot reach `a`. */
  async function proberCutOff() {
    const { group, participants } = four();
    await group.clock.advanceAsync(1_000);
    group.results.a = refused;
    return { group, participants };
  }

  test("an upstream that they reach stays up, whatever the prober cannot reach, until they fail", async () => {
    const { group, participants } = await proberCutOff();
    const [p, q, r] = participants;
    for (let second = 0; second < 10; second++) {
      q.request("a");
      await group.clock.advanceAsync(1_000);
    }
    expect([p, q, r].map((one) => healthOf(one).a)).toEqual(["unhealthy", "healthy", "unhealthy"]);
    q.request("a", "connect_refused");
    expect(healthOf(q).a).toBe("unhealthy");
    // In panic, or as the last resort.
    q.request("a");
    expect(healthOf(q).a).toBe("healthy");
    expect(q.events.at(-1)).toEqual(["a", "healthy", "reached by requests"]);
  });

  test("requests from before its failures prove nothing", async () => {
    const { group, participants } = await proberCutOff();
    const [, q] = participants;
    const attempt = q.pool.begin(memberOf(q.pool, "a"));
    await group.clock.advanceAsync(10_000);
    attempt.responded(1, 200);
    expect(healthOf(q).a).toBe("unhealthy");
  });

  test.each([
    ["about a status", status503],
    ["about a response that has not come", hung],
  ])("a verdict %s counts, whatever they reach", async (_what, result) => {
    const { group, participants } = await proberCutOff();
    const [, q] = participants;
    group.results.a = result;
    for (let second = 0; second < 10; second++) {
      q.request("a");
      await group.clock.advanceAsync(1_000);
    }
    expect(healthOf(q).a).toBe("unhealthy");
  });

  test("so does a verdict about another port than that of requests", async () => {
    const { group, participants } = four({ healthCheck: { ...healthCheck, port: 9_000 } });
    const [, q] = participants;
    group.results.a = refused;
    for (let second = 0; second < 10; second++) {
      q.request("a");
      await group.clock.advanceAsync(1_000);
    }
    expect(healthOf(q).a).toBe("unhealthy");
  });

  test("an upstream that only they cannot reach is ejected here, and probes of others bring a trial, no more", async () => {
    const { group, participants } = four({ outlierDetection: { consecutiveFailures: 2, baseEjectionTime: "60s" } });
    const [p, q, r] = participants;
    await group.clock.advanceAsync(1_000);
    group.takeSent();
    group.probes.length = 0;
    for (let count = 0; count < 5; count++) q.request("a", "connect_refused");
    expect(group.takeSent()).toEqual(["q: failure a", "q: ejection a"]);
    expect([p, q, r].map(({ pool }) => memberOf(pool, "a").ejectedUntil !== undefined)).toEqual([false, true, false]);
    await group.clock.advanceAsync(500);
    // The hint has brought the probe forward.
    expect(group.probes.filter(([, , id]) => id === "a")).toHaveLength(1);
    expect(group.takeSent()).toEqual(["p: probe a"]);
    expect(memberOf(q.pool, "a")).toMatchObject({ onTrial: true, health: "healthy" });
    q.request("a", "connect_refused");
    expect(memberOf(q.pool, "a")).toMatchObject({ onTrial: false });
    expect(memberOf(q.pool, "a").ejectedUntil).toBeDefined();
    await group.clock.advanceAsync(6_000);
    expect(memberOf(q.pool, "a")).toMatchObject({ onTrial: true });
    group.takeSent();
    q.request("a");
    expect(memberOf(q.pool, "a").ejectedUntil).toBeUndefined();
    await group.clock.advanceAsync(30_000);
    expect(group.takeSent().filter((message) => message.includes("probe"))).toEqual([]);
  });

  test("failures are hints at most once a second, and none alone", async () => {
    const { group, participants } = four();
    const [p, q, r, s] = participants;
    await group.clock.advanceAsync(1_000);
    group.takeSent();
    for (let ms = 0; ms < 3_000; ms += 10) {
      q.request("a", "reset");
      group.clock.advance(10);
    }
    expect(group.takeSent()).toEqual(["q: failure a", "q: failure a", "q: failure a"]);
    for (const { managed, state } of [q, r, s]) {
      managed.stop();
      group.leave(state.self);
    }
    group.takeSent();
    await group.clock.advanceAsync(20_000);
    p.request("a", "reset");
    await group.clock.advanceAsync(10_000);
    expect(group.takeSent()).toEqual([]);
  });
});
