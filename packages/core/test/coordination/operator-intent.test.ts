import { describe, expect, test } from "vitest";
import { resolvePool } from "../../src/config/resolve.ts";
import { memberOf, upstreamsOf } from "../support/pools.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { type Participant, PoolGroup } from "./pools.ts";

function viewOf({ pool }: Participant): string[] {
  return pool.upstreams.map(({ id, weight, state }) => `${id} ${weight} ${state}`);
}

describe("what operators want", () => {
  test("reaches all participants, one message for each call", () => {
    const group = new PoolGroup({});
    const [p, q] = [group.add("p"), group.add("q")];
    p.pool.setWeight("a", 5);
    q.pool.setState("b", "draining");
    q.pool.add({ id: "c", url: "http://c.internal:3000", weight: 3 });
    p.pool.remove("a");
    group.clock.advance(0);
    for (const one of [p, q]) expect(viewOf(one)).toEqual(["b 1 draining", "c 3 active"]);
    expect(group.takeSent()).toEqual(["p: weight a", "q: state b", "q: member c", "p: member a"]);
  });

  test("reaches a participant that takes the place of another one", () => {
    const group = new PoolGroup({});
    const p = group.add("p");
    group.add("q");
    p.pool.setWeight("a", 0);
    p.pool.setState("b", "disabled");
    p.pool.add("http://c.internal:3000");
    group.clock.advance(0);
    group.leave("q");
    expect(viewOf(group.add("q'"))).toEqual(viewOf(p));
  });

  test("is the same everywhere in the end, whatever order the calls arrive in", () => {
    for (let seed = 1; seed <= 10; seed++) {
      const random = seededRandom(seed);
      const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T;
      const group = new PoolGroup({}, { a: 1, b: 1 }, random);
      group.delivery = { delayMs: 200, lost: 0.1, doubled: 0.2 };
      const participants = ["p", "q", "r"].map((id) => group.add(id));
      for (let step = 0; step < 120; step++) {
        const { pool } = pick(participants);
        const id = pick(["a", "b", "c", "d"]);
        const has = pool.get(id) !== undefined;
        const call = pick(["weight", "weight", "state", "add", "remove", "pause"]);
        if (call === "pause") group.clock.advance(random() * 100);
        else if (call === "add" && !has) pool.add({ id, url: `http://${id}.internal:3000`, weight: step });
        else if (!has) continue;
        else if (call === "weight") pool.setWeight(id, step);
        else if (call === "state") pool.setState(id, pick(["active", "draining", "disabled"]));
        else if (call === "remove") pool.remove(id);
      }
      group.clock.advance(1_000);
      group.reconcile();
      const views = [...participants, group.add("late")].map((one) => viewOf(one).sort());
      for (const view of views) expect(view, `seed ${seed}`).toEqual(views[0]);
    }
  });

  test("applies to upstreams that appear later, by discovery or by a reload", () => {
    const group = new PoolGroup({}, { a: 1 });
    const p = group.add("p", undefined, { a: 1, late: 1 });
    const q = group.add("q");
    p.pool.setState("late", "disabled");
    p.pool.setWeight("late", 7);
    group.clock.advance(0);
    expect(viewOf(q)).toEqual(["a 1 active"]);
    q.reload({}, { a: 1, late: 1 });
    expect(viewOf(q)).toEqual(["a 1 active", "late 7 disabled"]);
    const r = group.add("r");
    r.pool.setDiscovered(resolvePool({ upstreams: upstreamsOf({ late: 1 }) }).upstreams);
    expect(viewOf(r)).toEqual(["a 1 active", "late 7 disabled"]);
  });

  test("a weight ends where another one is configured, and a state where another server has the id", () => {
    const group = new PoolGroup({});
    const p = group.add("p");
    p.pool.setWeight("a", 5);
    p.pool.setState("b", "disabled");
    p.reload({}, { a: 2, b: 1 });
    expect(viewOf(p)).toEqual(["a 2 active", "b 1 disabled"]);
    expect(viewOf(group.add("q"))).toEqual(["a 5 active", "b 1 disabled"]);
    expect(viewOf(group.add("r", undefined, { a: 2, b: 1 }))).toEqual(["a 2 active", "b 1 disabled"]);
    p.state.receive({
      version: 1,
      intent: [{ ...p.state.intent().find(({ field }) => field === "state"), upstream: "a" }].map((entry) => ({
        ...entry,
      })),
    });
    expect(memberOf(p.pool, "a").state).toBe("active");
  });

  test("upstreams that were added or removed apply to one configuration", () => {
    const group = new PoolGroup({});
    const [p, q] = [group.add("p"), group.add("q")];
    p.pool.add({ id: "c", url: "http://c.internal:3000" });
    p.pool.remove("a");
    group.clock.advance(0);
    p.state.setGeneration("2");
    p.reload({});
    expect(viewOf(p)).toEqual(["a 1 active", "b 1 active"]);
    expect(viewOf(q)).toEqual(["b 1 active", "c 1 active"]);
    p.pool.remove("b");
    group.clock.advance(0);
    expect(viewOf(q)).toEqual(["b 1 active", "c 1 active"]);
    q.state.setGeneration("2");
    q.reload({});
    expect(viewOf(q)).toEqual(["a 1 active"]);
  });

  test("an upstream that is removed and added again has neither its weight nor its state", () => {
    const group = new PoolGroup({});
    const [p, q] = [group.add("p"), group.add("q")];
    p.pool.setState("a", "disabled");
    p.pool.setWeight("a", 9);
    group.clock.advance(0);
    q.pool.remove("a");
    q.pool.add({ id: "a", url: "http://a.internal:3000", weight: 2 });
    group.clock.advance(0);
    for (const one of [p, q, group.add("r")]) expect(viewOf(one)).toEqual(["b 1 active", "a 2 active"]);
  });

  test("a drain's timeout runs from the call, and once", () => {
    const group = new PoolGroup({});
    const p = group.add("p");
    let closed: string[] = [];
    const openTunnel = (one: Participant, name: string) =>
      one.pool.begin(memberOf(one.pool, "a")).becomeTunnel({
        destroy: () => void closed.push(name),
      });
    p.pool.setState("a", "draining", { timeout: "10s" });
    group.clock.advance(4_000);
    const q = group.add("q");
    openTunnel(p, "p");
    openTunnel(q, "q");
    q.reload({});
    group.clock.advance(5_999);
    expect(closed).toEqual([]);
    group.clock.advance(1);
    expect(closed.sort()).toEqual(["p", "q"]);
    closed = [];
    const r = group.add("r");
    expect(memberOf(r.pool, "a").state).toBe("draining");
    p.pool.setState("a", "active");
    group.clock.advance(0);
    for (const one of [q, r]) expect(memberOf(one.pool, "a").state).toBe("active");
  });

  test("a pool that is removed has no say any more", () => {
    const group = new PoolGroup({});
    const [p, q] = [group.add("p"), group.add("q")];
    q.managed.stop();
    q.pool.remove("a");
    p.pool.setWeight("b", 4);
    group.clock.advance(0);
    expect(viewOf(p)).toEqual(["a 1 active", "b 4 active"]);
    expect(viewOf(q)).toEqual(["b 1 active"]);
  });
});
