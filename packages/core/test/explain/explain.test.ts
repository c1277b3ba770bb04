import { expect, test } from "vitest";
import { OptionsError } from "../../src/config/issues.ts";
import type { ProxyOptions } from "../../src/config/options.ts";
import { resolveOptions } from "../../src/config/resolve.ts";
import type { ResolvedPool } from "../../src/config/resolved.ts";
import { policyNames } from "../../src/config/schema/policy-names.ts";
import { explain } from "../../src/explain/explain.ts";
import type { ExplainRequest, Explanation, PoolExplanation, Reason } from "../../src/explain/explanation.ts";
import { ManagedPool } from "../../src/managed-pool.ts";
import { createProxy, type Proxy as ReverseProxy } from "../../src/proxy.ts";
import { createRouting } from "../../src/request/create-routing.ts";
import { seededRandom } from "../../src/runtime/seeded-random.ts";
import { VirtualClock } from "../../src/runtime/virtual-clock.ts";
import { deepFrozen } from "../support/frozen.ts";
import { type MemberSketch, memberOf, upstreamsOf } from "../support/pools.ts";

function proxyOf(options: ProxyOptions): { proxy: ReverseProxy; clock: VirtualClock } {
  const clock = new VirtualClock();
  return { proxy: createProxy(options, { clock, random: seededRandom() }), clock };
}

function apiOf(members: Readonly<Record<string, MemberSketch>>, settings: object = {}) {
  const { proxy, clock } = proxyOf({ pools: { api: { ...settings, upstreams: upstreamsOf(members) } } });
  const pool = proxy.pools.get("api");
  if (pool === undefined) throw new Error("no pool");
  return { proxy, pool, clock, explained: (request: ExplainRequest = { url: "/" }) => poolOf(proxy.explain(request)) };
}

function poolOf({ pool }: Explanation): PoolExplanation {
  if (pool === null) throw new Error("no pool");
  return pool;
}

function reasonsOf(pool: PoolExplanation, id: string, speaks?: Reason["speaks"]): string[] {
  const reasons = pool.upstreams.find((upstream) => upstream.id === id)?.reasons ?? [];
  return reasons.filter((reason) => speaks === undefined || reason.speaks === speaks).map(({ code }) => code);
}

test("explains for every route why it matches or not, and which one is taken", () => {
  const { proxy } = proxyOf({
    pools: { a: { upstreams: ["http://127.0.0.1:3001"] }, b: { upstreams: ["http://127.0.0.1:3002"] } },
    routes: [
      { host: "*.example.com", path: "/api", pool: "a" },
      { path: "/api", methods: ["POST"], pool: "a" },
      { path: "/ap", pool: "a" },
      { path: "/api", pool: "b" },
      { pool: "b" },
    ],
  });
  const { routes, route, refusal, pool } = proxy.explain({ url: "http://shop.example.org/api/x?y=1" });
  expect(
    routes.map(({ matches, host, path, method }) => [matches, host.matches, path.matches, method.matches]),
  ).toEqual([
    [false, false, true, true],
    [false, true, true, false],
    [false, true, false, true],
    [true, true, true, true],
    [true, true, true, true],
  ]);
  expect(routes[0]?.host.because).toBe("shop.example.org is not *.example.com");
  expect(routes[2]?.path.because).toBe("/api/x begins with /ap, but a prefix matches whole segments only");
  expect([route, refusal, pool?.name]).toEqual([3, null, "b"]);
});

test.each<[string, ExplainRequest, string | null, number]>([
  ["no route", { url: "/else" }, "no_route", 404],
  ["a climbing path", { url: "/api/../x" }, "bad_request", 400],
  ["no target", { url: "api" }, "bad_request", 400],
  ["two hosts", { url: "/api", headers: { host: ["a", "b"] } }, "bad_request", 400],
  ["a Host other than that of the URL", { url: "http://a/api", headers: { Host: "b" } }, "bad_request", 400],
  ["a method that is not forwarded", { url: "/api", method: "TRACE" }, "method_not_allowed", 405],
  ["a transfer coding", { url: "/api", headers: { "Transfer-Encoding": "gzip" } }, "not_implemented", 501],
  ["OPTIONS *", { url: "*", method: "OPTIONS" }, null, 204],
])("explains why a request would be refused: %s", (_name, request, code, status) => {
  const { proxy } = proxyOf({
    pools: { a: { upstreams: ["http://127.0.0.1:3001"] } },
    routes: [{ path: "/api", pool: "a" }],
  });
  const { refusal, route, pool } = proxy.explain(request);
  expect(refusal).toMatchObject({ code, status });
  expect(refusal?.reason).not.toBe("");
  expect([route, pool]).toEqual([null, null]);
});

test("an invalid description is an OptionsError that names every mistake", () => {
  const { proxy } = apiOf({ a: 1 });
  const call = () => proxy.explain({ url: 1, method: 2, headers: { a: [3] } } as unknown as ExplainRequest);
  expect(call).toThrowError(expect.objectContaining({ code: "invalid_options" }));
  expect(call).toThrowError(/url.*\n.*method.*\n.*headers/);
});

test.each([
  [null, "null"],
  [undefined, "nothing"],
  ["/api", '"/api"'],
  [["/api"], '["/api"]'],
  [7, "7"],
  [() => "/api", "a function"],
])("a value that is no description is an OptionsError with an example: %s", (request, found) => {
  const { proxy } = apiOf({ a: 1 });
  const call = () => proxy.explain(request as unknown as ExplainRequest);
  expect(call).toThrowError(OptionsError);
  expect(call).toThrowError(`request: expected a description such as { url: "/api" }, found ${found}`);
});

test.each([[null], ["a: 1"], [["a", "1"]], [new Map([["a", "1"]])], [new Headers({ a: "1" })], [{ a: null }]])(
  "headers that are no object of strings are an OptionsError: %s",
  (headers) => {
    const { proxy } = apiOf({ a: 1 });
    const call = () => proxy.explain({ url: "/", headers } as unknown as ExplainRequest);
    expect(call).toThrowError(OptionsError);
    expect(call).toThrowError(/^headers: expected an object of header names and strings or arrays of strings/);
  },
);

test("shows path and Host for the upstream, and the address of the client", () => {
  const upstreams = [{ id: "a", url: "http://a.internal:3000/base" }];
  const { proxy } = proxyOf({
    trustedProxies: ["10.0.0.0/8"],
    pools: { api: { upstreams } },
    routes: [
      { host: "kept.example", path: "/api", pool: "api", stripPrefix: true, addPrefix: "/v2" },
      { pool: "api", preserveHost: false },
    ],
  });
  const headers = { Host: "Kept.example:8080", "X-Forwarded-For": "192.0.2.7" };
  const kept = proxy.explain({ url: "/api/x?y=%2f", headers, client: "10.1.2.3" });
  expect(kept.request.client).toBe("192.0.2.7");
  expect(poolOf(kept).upstreams[0]).toMatchObject({ path: "/base/v2/x?y=%2f", host: "Kept.example:8080" });
  const changed = proxy.explain({ url: "/", headers: { "X-Forwarded-For": "192.0.2.7" }, client: "192.0.2.1" });
  expect(changed.request.client).toBe("192.0.2.1");
  expect(poolOf(changed).upstreams[0]).toMatchObject({ path: "/base/", host: "a.internal:3000" });
});

test("each reason against an upstream has its code", () => {
  const { pool, clock, explained } = apiOf({
    good: 1,
    draining: 1,
    disabled: 1,
    unhealthy: 1,
    ejected: 1,
    full: { maxInFlight: 1 },
    idle: 0,
    spare: { backup: true },
  });
  clock.advance(5_000);
  pool.setState("draining", "draining");
  pool.setState("disabled", "disabled");
  pool.setHealth(memberOf(pool, "unhealthy"), "unhealthy", "status 503");
  pool.ejections.eject(memberOf(pool, "ejected"), "consecutive-failures", 30_000);
  pool.begin(memberOf(pool, "full"));
  const found = explained();
  expect(Object.fromEntries(found.upstreams.map(({ id }) => [id, reasonsOf(found, id, "against")]))).toEqual({
    good: [],
    draining: ["draining"],
    disabled: ["disabled"],
    unhealthy: ["unhealthy"],
    ejected: ["ejected"],
    full: ["full"],
    idle: ["weight-zero"],
    spare: ["backup"],
  });
  expect(found.upstreams.filter(({ candidate }) => candidate).map(({ id }) => id)).toEqual(["good"]);
  expect(found.upstreams.map(({ chance }) => chance)).toEqual([1, 0, 0, 0, 0, 0, 0, 0]);
  expect(found.upstreams[3]?.because).toBe("probes find it unhealthy since 2025-01-01T00:00:05.000Z: status 503");
  expect(found.upstreams[4]?.because).toBe("it is ejected for consecutive-failures until 2025-01-01T00:00:35.000Z");
  expect(found.upstreams[5]?.because).toBe("1 of 1 in flight");
});

test("shows trials, held upstreams and the factors of shares", async () => {
  const { proxy, pool, explained } = apiOf(
    { a: 4, b: 4, c: 4 },
    { slowStart: { window: "10s" }, healthCheck: { initialState: "checking" } },
  );
  expect(reasonsOf(explained(), "a")).toEqual(["active", "unchecked", "held", "has-room"]);
  for (const upstream of pool.upstreams) pool.setHealth(upstream, "healthy", "status 200");
  pool.ejections.eject(memberOf(pool, "a"), "failure-ratio", 1_000);
  pool.ejections.beginTrial(memberOf(pool, "a"));
  expect(reasonsOf(explained(), "a")).toEqual(["active", "healthy", "on-trial", "has-room"]);
  const trial = pool.begin(memberOf(pool, "a"));
  expect(reasonsOf(explained(), "a", "against")).toEqual(["on-trial"]);
  trial.settle("success");
  pool.ejections.readmit(memberOf(pool, "a"), "trial");
  pool.effectiveWeights.setFeedback(memberOf(pool, "b"), 0.25, "it is slow");
  pool.effectiveWeights.announce(memberOf(pool, "c"), 0.5);
  const found = explained();
  expect(found.upstreams.map(({ id }) => reasonsOf(found, id, "share"))).toEqual([
    ["slow-start"],
    ["feedback"],
    ["announced"],
  ]);
  expect(found.upstreams.map(({ effectiveWeight }) => effectiveWeight)).toEqual([0.4, 1, 2]);
  await proxy.close({ timeout: "0s" });
});

test("shows the next step: a pick, a wait, a refusal, or a pick in panic", () => {
  const { pool, explained, proxy } = apiOf({ a: { maxInFlight: 1 } }, { queue: { max: 1 } });
  expect(explained()).toMatchObject({ next: "pick", panic: false });
  const attempt = pool.begin(memberOf(pool, "a"));
  expect(explained()).toMatchObject({ next: "wait", queue: { depth: 0, max: 1 } });
  const waiter = { onRoom: () => {}, onTimeout: () => {}, tried: [] };
  pool.queue.enter(waiter);
  expect(explained()).toMatchObject({ next: "refuse", queue: { depth: 1, max: 1 } });
  expect(proxy.explain({ url: "/" }).refusal).toMatchObject({ code: "queue_full", status: 503 });
  pool.queue.leave(waiter);
  attempt.settle("success");
  pool.setHealth(memberOf(pool, "a"), "unhealthy", "connect_refused");
  expect(explained()).toMatchObject({ next: "pick", panic: true });
  expect(reasonsOf(explained(), "a", "for")).toContain("panic");
  pool.setState("a", "disabled");
  expect(explained()).toMatchObject({ next: "refuse", panic: false });
  expect(proxy.explain({ url: "/" }).refusal).toMatchObject({ code: "none_available", status: 503 });
});

test("shows the hash key option and the key of the request", () => {
  const { explained } = apiOf({ a: 1, b: 1, c: 1 }, { balance: "hash", hashOn: "header:x-user" });
  const found = explained({ url: "/", headers: { "X-User": "7" } });
  expect(found.hash).toEqual({ on: "header:x-user", key: "7" });
  expect(explained({ url: "/", headers: { "X-User": "7" } })).toEqual(found);
  expect(explained().hash).toEqual({ on: "header:x-user", key: null });
  expect(apiOf({ a: 1 }).explained().hash).toBeNull();
});

test("a custom policy without `weigh` is explained by weight", () => {
  const pick = () => {
    throw new Error("explain must not pick");
  };
  const plain = apiOf({ a: 3, b: 1 }, { balance: { name: "own", pick } });
  expect(plain.explained().upstreams.map(({ chance, because }) => [chance, because])).toEqual([
    [0.75, "weight 3 of 4"],
    [0.25, "weight 1 of 4"],
  ]);
  const weigh = () => [
    { chance: 0, because: "not today" },
    { chance: 1, because: "its turn" },
  ];
  const better = apiOf({ a: 3, b: 1 }, { balance: { name: "own", pick, weigh } });
  expect(better.explained().upstreams.map(({ chance, because }) => [chance, because])).toEqual([
    [0, "not today"],
    [1, "its turn"],
  ]);
  const broken = apiOf({ a: 3, b: 1 }, { balance: { name: "own", pick, weigh: pick } });
  expect(broken.explained().upstreams.map(({ chance }) => chance)).toEqual([0.75, 0.25]);
});

test("is plain frozen data that survives JSON", () => {
  const { proxy } = apiOf({ a: 1, b: { maxInFlight: 3 } });
  for (const request of [{ url: "/" }, { url: "bad" }]) {
    const found = proxy.explain(request);
    expect(deepFrozen(found)).toBe(true);
    expect(JSON.parse(JSON.stringify(found))).toEqual(found);
  }
});

test.each(policyNames)("%s picks the same with and without explanations in between", (policy) => {
  const picksOf = (explaining: boolean) => {
    const clock = new VirtualClock();
    const random = seededRandom(9);
    const upstreams = upstreamsOf({ a: 5, b: 3, c: { maxInFlight: 4 }, d: { backup: true } });
    const resolved = resolveOptions({ balance: policy, upstreams, slowStart: { window: "5s" } });
    const atWork = new ManagedPool("default", resolved.pools.get("default") as ResolvedPool, { clock, random });
    const routing = createRouting(resolved, new Map([["default", atWork]]));
    const { pool, balancer } = atWork;
    const log: string[] = [];
    for (let step = 0; step < 400; step++) {
      clock.advance(10);
      if (explaining) for (const url of ["/", "nonsense"]) explain({ url }, routing, 0);
      const upstream = balancer.pick({ key: `key-${step % 7}` });
      log.push(upstream?.id ?? "no upstream");
      if (upstream === undefined) continue;
      const attempt = pool.begin(upstream);
      clock.setTimeout(() => attempt.settle(step % 9 === 0 ? "reset" : "success"), random() * 60);
      if (step === 200) pool.add({ id: "e", url: "http://e.internal" });
    }
    return log;
  };
  expect(picksOf(true)).toEqual(picksOf(false));
});

test("shows how many of the requests in flight are open tunnels", () => {
  const { pool, explained } = apiOf({ a: { maxInFlight: 3 }, b: 1 });
  for (const id of ["a", "a", "b"]) pool.begin(memberOf(pool, id)).becomeTunnel();
  pool.begin(memberOf(pool, "a"));
  const roomOf = (id: string) =>
    explained()
      .upstreams.find((upstream) => upstream.id === id)
      ?.reasons.find(({ code }) => code === "full" || code === "has-room")?.text;
  expect(roomOf("a")).toBe("3 of 3 in flight, 2 of them open tunnels");
  expect(roomOf("b")).toBe("1 in flight, 1 of them an open tunnel, without a limit");
});
