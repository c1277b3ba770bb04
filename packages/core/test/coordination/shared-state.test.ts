import { describe, expect, test } from "vitest";
import type { Evidence, IntentChange, IntentEntry, Observation } from "../../src/coordination/coordination.ts";
import { compareStamps } from "../../src/coordination/hybrid-clock.ts";
import type { SharedState } from "../../src/coordination/shared-state.ts";
import type { UpstreamState } from "../../src/events.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { Group } from "./group.ts";

const about = { pool: "api", upstream: "a" };
const url = "http://a:3000";

function weight(value: number, upstream = "a"): IntentChange {
  return { pool: "api", upstream, field: "weight", value: { url, weight: value, configured: 1 } };
}

function verdict(health: "healthy" | "unhealthy", upstream = "a"): Observation {
  return { pool: "api", upstream, kind: "verdict", url, health, reason: "status 503", transport: false, at: 1 };
}

function key({ by, kind, upstream }: Evidence): string {
  return `${by} ${kind} ${upstream}`;
}

function sorted(state: SharedState): { intent: IntentEntry[]; evidence: Evidence[] } {
  const { intent = [], evidence = [] } = state.full();
  const byKey = (a: Evidence, b: Evidence) => (key(a) < key(b) ? -1 : 1);
  const byStamp = (a: IntentEntry, b: IntentEntry) => compareStamps(a.stamp, b.stamp);
  return { intent: [...intent].sort(byStamp), evidence: [...evidence].sort(byKey) };
}

describe("convergence", () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    test(`whatever the carrier does, all participants reach the same state (seed ${seed})`, () => {
      const random = seededRandom(seed);
      const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T;
      const group = new Group(random);
      group.delivery = { delayMs: 500, lost: 0.2, doubled: 0.3 };
      for (const id of ["p", "q", "r", "s"]) group.join(id);
      for (let step = 0; step < 400; step++) {
        const state = pick([...group.states.values()]);
        const upstream = pick(["a", "b", "c"]);
        const stateChange: IntentChange = {
          ...{ pool: "api", upstream, field: "state" },
          value: { url, state: pick<UpstreamState>(["active", "draining", "disabled"]) },
        };
        const change = pick([weight(step % 200, upstream), stateChange]);
        const kind = pick(["write", "write", "report", "report", "pause", "replace"]);
        if (kind === "write") state.write([change]);
        else if (kind === "report") state.report([verdict(pick(["healthy", "unhealthy"]), upstream)]);
        else if (kind === "pause") group.clock.advance(random() * 300);
        else if (step % 10 === 0) {
          group.leave(state.self);
          group.join(`${state.self}'`);
        }
      }
      group.clock.advance(1_000);
      group.reconcile();
      const [first, ...others] = [...group.states.values()].map(sorted);
      for (const other of others) expect(other).toEqual(first);
      expect(first?.intent.length).toBe(6);
      for (const { by } of first?.evidence ?? []) expect([...group.states.keys()]).toContain(by);
    });
  }

  test("a delayed change loses against a later one, wherever it arrives last", () => {
    const group = new Group();
    const [p, q, r] = ["p", "q", "r"].map((id) => group.join(id)) as [SharedState, SharedState, SharedState];
    p.write([weight(2)]);
    group.clock.advance(1);
    q.write([weight(3)]);
    const [older, newer] = group.sent.map(({ update }) => update);
    r.receive(newer);
    r.receive(older);
    r.receive(newer);
    expect(r.intent()).toEqual(newer?.intent);
    group.clock.advance(0);
    expect(p.intent()).toEqual(newer?.intent);
    expect(q.intent()).toEqual(newer?.intent);
  });

  test("the writer of a change that knew another one is later, although its clock is behind", () => {
    const group = new Group();
    const p = group.join("p");
    const ahead = group.join("ahead", {
      clock: { ...group.clock, now: () => group.clock.now(), wallNow: () => group.clock.wallNow() + 50_000 } as never,
    });
    ahead.write([weight(2)]);
    group.clock.advance(0);
    p.write([weight(3)]);
    group.clock.advance(0);
    for (const state of [p, ahead]) expect(state.intent()).toMatchObject([{ value: { weight: 3 } }]);
  });
});

describe("evidence", () => {
  test("is kept apart by participant, and is forgotten with its participant", () => {
    const group = new Group();
    const [p, q, r] = ["p", "q", "r"].map((id) => group.join(id)) as [SharedState, SharedState, SharedState];
    p.report([verdict("unhealthy")]);
    q.report([verdict("healthy"), { ...about, kind: "failure", at: 5 }]);
    group.clock.advance(0);
    expect(r.evidence("api", "a").map(({ by, kind }) => `${by} ${kind}`)).toEqual([
      "p verdict",
      "q verdict",
      "q failure",
    ]);
    expect(r.evidence("api", "b")).toEqual([]);
    group.leave("q");
    expect(r.evidence("api", "a").map(key)).toEqual(["p verdict a"]);
    expect(group.join("t").evidence("api", "a")).toEqual(r.evidence("api", "a"));
  });

  test("no participant writes for another: what it receives about itself has no effect", () => {
    const group = new Group();
    const p = group.join("p");
    p.report([verdict("healthy")]);
    p.receive({ version: 1, evidence: [{ ...verdict("unhealthy"), by: "p", sequence: 2 ** 50 }] });
    expect(p.evidence("api", "a")).toMatchObject([{ health: "healthy" }]);
  });

  test("may arrive before it is known that its participant has joined", () => {
    const group = new Group();
    const p = group.join("p");
    p.receive({ version: 1, evidence: [{ ...verdict("unhealthy"), by: "q", sequence: 1 }] });
    expect(p.evidence("api", "a")).toEqual([]);
    p.setParticipants(["q"]);
    expect(p.evidence("api", "a")).toHaveLength(1);
  });
});

describe("updates are untrusted", () => {
  const stamp = { time: Date.UTC(2025, 0, 1), count: 0, by: "q" };
  const entry = { ...weight(2), stamp };
  const evidence = { ...verdict("healthy"), by: "q", sequence: 1 };
  const text = "x".repeat(3_000);

  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["text", "update"],
    ["an array", []],
    ["no version", { intent: [entry] }],
    ["another version", { version: 2, intent: [entry] }],
    ["an inherited version", Object.create({ version: 1 })],
    ["no list", { version: 1, intent: {} }],
    ["too many entries", { version: 1, intent: Array.from({ length: 100_001 }, () => entry) }],
    ["no entry", { version: 1, intent: [null] }],
    [
      "an inherited field",
      { version: 1, intent: [Object.assign(Object.create({ pool: "api" }), { ...entry, pool: undefined })] },
    ],
    ["an unknown field", { version: 1, intent: [{ ...entry, field: "constructor" }] }],
    ["a long name", { version: 1, intent: [{ ...entry, upstream: text }] }],
    ["a name with a line break", { version: 1, intent: [{ ...entry, pool: "a\nb" }] }],
    ["a weight that is none", { version: 1, intent: [{ ...entry, value: { url, weight: 257, configured: 1 } }] }],
    ["a weight as text", { version: 1, intent: [{ ...entry, value: { url, weight: "2", configured: 1 } }] }],
    ["no stamp", { version: 1, intent: [weight(2)] }],
    [
      "a stamp in the far future",
      { version: 1, intent: [{ ...entry, stamp: { ...stamp, time: stamp.time + 60_001 } }] },
    ],
    ["a stamp that is no time", { version: 1, intent: [{ ...entry, stamp: { ...stamp, time: Number.NaN } }] }],
    ["an unknown state", { version: 1, intent: [{ ...entry, field: "state", value: { url, state: "gone" } }] }],
    [
      "a timeout of none",
      { version: 1, intent: [{ ...entry, field: "state", value: { url, state: "draining", timeout: "1" } }] },
    ],
    [
      "a member of another id",
      {
        version: 1,
        intent: [{ ...entry, field: "member", value: { options: { url: "file:///etc" }, generation: "" } }],
      },
    ],
    ["a member without generation", { version: 1, intent: [{ ...entry, field: "member", value: { options: null } }] }],
    ["an unknown kind", { version: 1, evidence: [{ ...evidence, kind: "__proto__" }] }],
    ["no author", { version: 1, evidence: [{ ...evidence, by: undefined }] }],
    ["a sequence that is none", { version: 1, evidence: [{ ...evidence, sequence: -1 }] }],
    ["an unknown health", { version: 1, evidence: [{ ...evidence, health: "sick" }] }],
    ["a verdict without time", { version: 1, evidence: [{ ...evidence, at: Infinity }] }],
  ])("%s has no effect", (_what, update) => {
    const group = new Group();
    const p = group.join("p");
    p.setParticipants(["q"]);
    expect(p.receive(update)).toBe(false);
    expect(p.full()).toEqual({ version: 1, intent: [], evidence: [] });
  });

  test("what is valid beside it counts, and no more than it is read of it", () => {
    const p = new Group().join("p");
    p.setParticipants(["q"]);
    const odd = JSON.parse('{ "__proto__": { "polluted": true }, "more": 1 }') as object;
    const reason = `two\nlines${text}`;
    expect(
      p.receive({
        version: 1,
        intent: [{ ...entry, ...odd }, null],
        evidence: [{ ...evidence, ...odd, reason }],
        ...odd,
      }),
    ).toBe(false);
    expect(p.intent()).toEqual([entry]);
    const [read] = p.evidence("api", "a");
    expect(Object.keys(read ?? {}).sort()).toEqual(Object.keys(evidence).sort());
    expect(read).toMatchObject({ reason: expect.stringMatching(/^two linesx{1000,1020}$/) });
    expect(Reflect.get({}, "polluted")).toBeUndefined();
  });

  test("a flood of names leaves the newest registers", () => {
    const p = new Group().join("p");
    for (let part = 0; part < 3; part++) {
      const intent = Array.from({ length: 5_000 }, (_, at) => ({
        ...weight(2, `${part}-${at}`),
        stamp: { ...stamp, count: part * 5_000 + at },
      }));
      p.receive({ version: 1, intent });
    }
    expect(p.intent().length).toBeLessThanOrEqual(10_000);
    expect(p.intent().at(-1)).toMatchObject({ upstream: "2-4999" });
  });

  test("the clock stays exact and moves on after the largest count", () => {
    const p = new Group().join("p");
    p.receive({ version: 1, intent: [{ ...entry, stamp: { ...stamp, count: Number.MAX_SAFE_INTEGER } }] });
    const [first, second] = [p.write([weight(3)]), p.write([weight(4)])];
    expect(first).toMatchObject([{ stamp: { time: stamp.time + 1, count: 0 } }]);
    expect(second).toMatchObject([{ stamp: { time: stamp.time + 1, count: 1 } }]);
    expect(p.intent()).toEqual(second);
  });
});
