import { describe, expect, test } from "vitest";
import type { PoolOptions } from "../../src/config/options.ts";
import { Pool } from "../../src/pool/pool.ts";
import { memberOf } from "../support/pools.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

/** A pool that can open tunnels, with a log of their `destroy` calls. */
function poolWith(options: PoolOptions = {}) {
  const clock = new VirtualClock();
  const pool = new Pool("api", { upstreams: ["http://a:1", "http://b:1"], ...options }, { clock });
  const log: string[] = [];
  const open = (id: string, name = id) => {
    let destroyed = 0;
    pool.begin(memberOf(pool, id)).becomeTunnel({
      destroy: () => void log.push(`${name} ${++destroyed === 1 ? "closed" : "cut"}`),
    });
  };
  const tunnel = (id: string) => {
    let count = 0;
    const closed = pool.begin(memberOf(pool, id)).becomeTunnel({
      destroy: () => {
        log.push(`${id} ${++count === 1 ? "closed" : "cut"}`);
        if (count === 1) closed();
      },
    });
  };
  return { pool, clock, log, open, tunnel };
}

const a = "a:1";
const unhealthy = (pool: Pool, id = a) => pool.setHealth(memberOf(pool, id), "unhealthy", "test");

describe("the timeout of a drain", () => {
  test("closes the tunnels of the upstream, and cuts the remaining ones after the grace period", () => {
    const { pool, clock, log, open, tunnel } = poolWith();
    open(a);
    tunnel(a);
    open("b:1");
    pool.setState(a, "draining", { timeout: "30s" });
    clock.advance(29_999);
    expect(log).toEqual([]);
    clock.advance(1);
    expect(log).toEqual(["a:1 closed", "a:1 closed"]);
    clock.advance(999);
    expect(log).toHaveLength(2);
    clock.advance(1);
    expect(log).toEqual(["a:1 closed", "a:1 closed", "a:1 cut"]);
    clock.advance(60_000);
    expect([log.length, clock.pending]).toEqual([3, 0]);
  });

  test.each<[string, (pool: Pool) => void]>([
    ["enabling", (pool) => pool.setState(a, "active")],
    ["draining without one", (pool) => pool.setState(a, "draining")],
    ["closing the pool", (pool) => pool.close()],
  ])("is cancelled by %s", (_what, change) => {
    const { pool, clock, log, open } = poolWith();
    open(a);
    pool.setState(a, "draining", { timeout: "30s" });
    change(pool);
    expect(clock.pending).toBe(0);
    clock.advance(60_000);
    expect(log).toEqual([]);
  });

  test("continues after the upstream is removed, until its last tunnel has closed", () => {
    const { pool, clock, log, open } = poolWith();
    open(a);
    pool.setState(a, "draining", { timeout: "30s" });
    pool.remove(a);
    clock.advance(30_000);
    expect(log).toEqual(["a:1 closed"]);
    const idle = poolWith();
    idle.pool.setState(a, "draining", { timeout: "30s" });
    idle.pool.remove(a);
    expect(idle.clock.pending).toBe(0);
  });

  test("moves bound clients to other upstreams, until the upstream is enabled again", () => {
    const { pool, clock } = poolWith();
    pool.setState(a, "draining", { timeout: "30s" });
    expect(pool.standing(memberOf(pool, a))).toBe("ready");
    clock.advance(30_000);
    expect(pool.standing(memberOf(pool, a))).toBe("gone");
    pool.setState(a, "active");
    expect(pool.standing(memberOf(pool, a))).toBe("ready");
  });

  test("closes a tunnel whose handshake was in flight", async () => {
    const { pool, clock, log } = poolWith();
    const attempt = pool.begin(memberOf(pool, a));
    pool.setState(a, "disabled", { timeout: "0s" });
    clock.advance(0);
    attempt.becomeTunnel({ destroy: () => void log.push("closed") });
    await Promise.resolve();
    expect(log).toEqual(["closed"]);
  });

  test.each([
    ["with the state active", "active", "30s"],
    ["that is no duration", "draining", "soon"],
    ["that is a number", "draining", 30],
  ])("%s is refused without any change", (_what, state, timeout) => {
    const { pool } = poolWith();
    const set = () => pool.setState(a, state as "active", { timeout: timeout as never });
    expect(set).toThrow(expect.objectContaining({ code: "invalid_options" }));
    expect(memberOf(pool, a).state).toBe("active");
  });
});

describe("closeTunnelsWhen", () => {
  const causes: readonly [reason: "unhealthy" | "disabled" | "removed", cause: (pool: Pool) => void][] = [
    ["unhealthy", unhealthy],
    ["disabled", (pool) => pool.setState(a, "disabled")],
    ["removed", (pool) => pool.remove(a)],
    [
      "removed",
      (pool) => {
        const { upstreams } = new Pool("api", { upstreams: ["http://b:1"] }).options;
        pool.reconfigure({ ...pool.options, upstreams });
      },
    ],
  ];

  test.each(causes)("%s closes the tunnels of that upstream only", (reason, cause) => {
    const { pool, log, open } = poolWith({ closeTunnelsWhen: [reason] });
    open(a);
    open("b:1");
    cause(pool);
    expect(log).toEqual(["a:1 closed"]);
  });

  test.each(causes)("is off by default: %s closes no tunnels", (_reason, cause) => {
    const { pool, clock, log, open } = poolWith();
    open(a);
    cause(pool);
    clock.advance(60_000);
    expect(log).toEqual([]);
  });

  test("does not close tunnels that panic opens to an unhealthy upstream", async () => {
    const { pool, log, open } = poolWith({ closeTunnelsWhen: ["unhealthy"] });
    unhealthy(pool);
    open(a);
    await Promise.resolve();
    expect(log).toEqual([]);
  });

  test("does not apply to draining", () => {
    const { pool, log, open } = poolWith({ closeTunnelsWhen: ["unhealthy", "disabled", "removed"] });
    open(a);
    pool.setState(a, "draining");
    expect(log).toEqual([]);
  });
});

test.each<[string, ((pool: Pool) => void)[]]>([
  ["disabled and then found unhealthy", [(pool) => pool.setState(a, "disabled"), unhealthy]],
  ["unhealthy and then disabled", [unhealthy, (pool) => pool.setState(a, "disabled")]],
  ["unhealthy and then removed", [unhealthy, (pool) => pool.remove(a)]],
])("an upstream that is %s has its tunnels closed", (_what, steps) => {
  const { pool, clock, log, open } = poolWith();
  open(a);
  for (const step of steps) {
    expect(log).toEqual([]);
    step(pool);
  }
  expect(log).toEqual(["a:1 closed"]);
  pool.close();
  clock.advance(60_000);
  expect(log).toEqual(["a:1 closed", "a:1 cut"]);
});
