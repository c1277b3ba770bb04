import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import type { PoolOptions, StickyOptions } from "../../src/config/options.ts";
import type { PoolExplanation } from "../../src/explain/explanation.ts";
import type { Pool } from "../../src/pool/pool.ts";
import { createProxy } from "../../src/proxy.ts";
import { VirtualClock } from "../../src/runtime/virtual-clock.ts";
import { memberOf, upstreamsOf } from "../support/pools.ts";

const secret = "a secret for tests";

/** The value of the cookie that binds to the upstream with this id. */
function cookieOf(id: string): string {
  return createHmac("sha256", secret)
    .update(JSON.stringify(["api", id]))
    .digest("base64url");
}

/** A sticky pool of a, b and c; `ask` explains a request with the cookie. */
function trio(sticky: StickyOptions = {}, options: Partial<PoolOptions> = {}) {
  const upstreams = upstreamsOf({ a: { maxInFlight: 1 }, b: { maxInFlight: 1 }, c: 1 });
  const api = { upstreams, balance: "round-robin" as const, sticky: { secret, ...sticky }, ...options };
  const proxy = createProxy({ pools: { api } }, { clock: new VirtualClock() });
  const pool = proxy.pools.get("api") as Pool;
  const ask = (value?: string) => {
    const headers = value === undefined ? {} : { Cookie: `x=1; evenkeel=${value}` };
    const { pool: explained, refusal } = proxy.explain({ url: "/", headers });
    return { ...(explained as PoolExplanation), refusal };
  };
  return { pool, proxy, ask };
}

function chances({ upstreams }: PoolExplanation): number[] {
  return upstreams.map(({ chance }) => Math.round(chance * 100));
}

test("a pool without sticky sessions has no sticky explanation", () => {
  const { proxy } = trio({}, { sticky: undefined as never });
  expect(proxy.explain({ url: "/" }).pool?.sticky).toBeNull();
});

test.each([
  ["without a cookie", undefined, { upstream: null, standing: null, outcome: "unbound" }],
  ["with an unknown cookie", "x".repeat(43), { upstream: null, standing: "gone", outcome: "rebound" }],
])("a client %s is balanced by the policy", (_, value, sticky) => {
  const found = trio().ask(value);
  expect(found).toMatchObject({ next: "pick", sticky: { cookie: "evenkeel", ...sticky }, refusal: null });
  expect(chances(found)).toEqual([100, 0, 0]);
});

test("the policy does not pick while the bound upstream is available, also while it drains", () => {
  const { ask, pool } = trio();
  for (const state of ["active", "draining"] as const) {
    pool.setState("b", state);
    const found = ask(cookieOf("b"));
    expect(found).toMatchObject({ next: "pick", sticky: { upstream: "b", standing: "ready", outcome: "kept" } });
    expect(chances(found)).toEqual([0, 100, 0]);
    expect(found.upstreams.map(({ because }) => because)).toEqual([
      "the client is bound to b",
      "the client is bound to this upstream",
      "the client is bound to b",
    ]);
    // The candidates of the policy are independent of the binding.
    expect(found.upstreams.map(({ candidate }) => candidate)).toEqual([true, state === "active", true]);
  }
});

test("a full upstream is waited for, and with a full queue another one serves the request", () => {
  const { ask, pool } = trio({}, { queue: { max: 1 } });
  pool.begin(memberOf(pool, "b"));
  const waiting = ask(cookieOf("b"));
  expect(waiting).toMatchObject({ next: "wait", sticky: { upstream: "b", standing: "later", outcome: "waits" } });
  expect(chances(waiting)).toEqual([0, 0, 0]);
  expect(ask()).toMatchObject({ next: "pick" });
  pool.queue.enter({ onRoom: () => {}, onTimeout: () => {}, waitsFor: memberOf(pool, "b") });
  const temporary = ask(cookieOf("b"));
  expect(temporary).toMatchObject({ next: "pick", sticky: { standing: "later", outcome: "temporary" }, refusal: null });
  expect(chances(temporary)).toEqual([100, 0, 0]);
});

test("an upstream that is gone is replaced", () => {
  const { ask, pool } = trio();
  pool.setHealth(memberOf(pool, "b"), "unhealthy", "status 503");
  const found = ask(cookieOf("b"));
  expect(found).toMatchObject({ next: "pick", sticky: { upstream: "b", standing: "gone", outcome: "rebound" } });
  expect(found.sticky?.because).toBe(
    "b is not available: another upstream serves the client, which is bound to it from then on",
  );
});

test("with `fail` the client is refused, with its error code", () => {
  const { ask, pool } = trio({ onMissing: "fail" }, { queue: { max: 0 } });
  expect(ask("x".repeat(43))).toMatchObject({
    next: "refuse",
    sticky: { upstream: null, outcome: "refused" },
    refusal: { code: "sticky_unavailable", status: 503 },
  });
  const attempt = pool.begin(memberOf(pool, "b"));
  const found = ask(cookieOf("b"));
  expect(found).toMatchObject({ sticky: { standing: "later", outcome: "refused" }, refusal: { code: "queue_full" } });
  expect(chances(found)).toEqual([0, 0, 0]);
  attempt.settle("success");
  pool.setState("b", "disabled");
  expect(ask(cookieOf("b")).refusal).toMatchObject({ code: "sticky_unavailable", status: 503 });
  expect(ask()).toMatchObject({ next: "pick", sticky: { outcome: "unbound" }, refusal: null });
});
