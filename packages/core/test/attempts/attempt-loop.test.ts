import { describe, expect, test } from "vitest";
import { type AttemptHandler, AttemptLoop } from "../../src/attempts/attempt-loop.ts";
import type { AttemptNotes } from "../../src/attempts/current-attempt.ts";
import { Balancer } from "../../src/balancer/balancer.ts";
import type { PoolSettings } from "../../src/config/options.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { OutlierDetector } from "../../src/health/outlier-detector.ts";
import type { Upstream } from "../../src/pool/upstream.ts";
import { type MemberSketch, memberOf, poolOf } from "../support/pools.ts";

/** How an upstream handles a request: refuses the connection, resets it, refuses the stream unprocessed, or responds. */
type Behaviour = "refuse" | "reset" | "unprocessed" | "ok" | 503;

/** A pool on virtual time. Its upstreams behave as set in `does`, one millisecond after each attempt begins. */
function scene(members: Readonly<Record<string, MemberSketch>>, settings: PoolSettings = {}) {
  const { pool, clock, runtime } = poolOf(members, { balance: "first", ...settings });
  const balancer = new Balancer(pool, {}, runtime);
  if (settings.outlierDetection !== false) new OutlierDetector(pool, undefined, runtime).start();
  const does: Record<string, Behaviour> = Object.fromEntries(Object.keys(members).map((id) => [id, "ok"]));

  /** Sends one request. `attempts` lists entries such as `a refuse`; `result` is a status or an error code. */
  function send({ method = "GET", replayable = true }: { method?: string; replayable?: boolean } = {}) {
    const flags = new Set<string>();
    const notes: AttemptNotes = { upstream: undefined, flags, attemptEnded: () => {}, retried: () => {} };
    const attempts: string[] = [];
    const sent = { attempts, flags, result: undefined as number | ErrorCode | undefined, endedAt: 0, leave: () => {} };
    const end = (result: number | ErrorCode) => {
      loop.stop();
      loop.settle(typeof result === "number" ? "success" : result, {});
      sent.result = result;
      sent.endedAt = clock.now();
    };
    const play = (id: string, behaviour: Behaviour) => {
      attempts.push(`${id} ${behaviour}`);
      const failure = { cause: undefined, reused: false };
      if (behaviour === "refuse") return loop.failed({ ...failure, code: "connect_refused", sent: false });
      loop.connected(1);
      if (behaviour === "reset") return loop.failed({ ...failure, code: "reset", sent: true });
      if (behaviour === "unprocessed") return loop.failed({ ...failure, code: "reset", sent: false });
      const status = behaviour === "ok" ? 200 : behaviour;
      loop.responded(status);
      if (!loop.retriedOn(status)) end(status);
    };
    const handler: AttemptHandler = {
      replayable,
      onAttempt: ({ id }: Upstream) => void clock.setTimeout(() => play(id, does[id] as Behaviour), 1),
      onGiveUp: end,
    };
    const to = { pool, balancer };
    const loop = new AttemptLoop({ to, runtime, method, key: undefined, affinity: undefined, notes }, handler);
    sent.leave = () => {
      loop.stop();
      loop.settle("aborted", {});
    };
    loop.start();
    return sent;
  }

  /** Sends one request and advances time until it ends, at most `withinMs`. */
  function ask(options: Parameters<typeof send>[0] = {}, withinMs = 10_000) {
    const sent = send(options);
    for (let ms = 0; ms < withinMs && sent.result === undefined; ms++) clock.advance(1);
    return sent;
  }
  return { pool, clock, does, send, ask, upstream: (id: string) => memberOf(pool, id) };
}

describe("attempts after the first", () => {
  test("go to untried upstreams first, then to those that failed", () => {
    const { does, ask } = scene({ a: 1, b: 1, c: 1 }, { outlierDetection: false });
    Object.assign(does, { a: "reset", b: "reset" });
    expect(ask()).toMatchObject({ result: 200, attempts: ["a reset", "b reset", "c ok"] });
    does["c"] = "reset";
    expect(ask()).toMatchObject({ result: "reset", attempts: ["a reset", "b reset", "c reset", "a reset"] });
  });

  test("go to a single upstream too, each after a pause", () => {
    const { does, ask, clock } = scene({ a: 1 });
    does["a"] = "reset";
    const startedAt = clock.now();
    const { result, attempts, endedAt } = ask();
    expect([result, attempts.length]).toEqual(["reset", 4]);
    expect(endedAt - startedAt).toBeGreaterThanOrEqual(3 * 25);
    expect(ask({ method: "POST" }).attempts).toEqual(["a reset"]);
    expect(ask({ replayable: false }).attempts).toEqual(["a reset"]);
  });

  test("follow a status listed in the options, and the last response is passed on", () => {
    const { does, ask } = scene({ a: 1, b: 1 }, { retry: { on: ["503"], attempts: 2 } });
    Object.assign(does, { a: 503, b: 503 });
    expect(ask()).toMatchObject({ result: 503, attempts: ["a 503", "b 503", "a 503"] });
  });

  test("follow with any method when the request was provably not processed", () => {
    const { does, ask } = scene({ a: 1, b: 1 });
    does["a"] = "unprocessed";
    expect(ask({ method: "POST" })).toMatchObject({ result: 200, attempts: ["a unprocessed", "b ok"] });
    expect(ask({ method: "POST", replayable: false })).toMatchObject({ result: "reset" });
  });

  test("count against the limit only when the request arrives", () => {
    const { does, ask } = scene({ a: 1, b: 1 }, { retry: { attempts: 2 }, outlierDetection: false });
    Object.assign(does, { a: "refuse", b: "reset" });
    const { attempts, result } = ask();
    expect([result, attempts.filter((attempt) => attempt === "b reset").length]).toEqual(["reset", 3]);
    expect(new Set(attempts)).toEqual(new Set(["a refuse", "b reset"]));
  });
});

describe("when no available upstream can be connected", () => {
  function ejected(settings: PoolSettings = {}) {
    const stage = scene({ a: 1, b: 1 }, settings);
    stage.does["a"] = "refuse";
    for (let request = 0; request < 5; request++) stage.ask();
    expect(stage.upstream("a").ejectedUntil).toBeDefined();
    Object.assign(stage.does, { a: "ok", b: "refuse" });
    return stage;
  }

  test.each(["GET", "POST"])("a %s goes on to an ejected upstream, and a success readmits it", (method) => {
    const { ask, upstream } = ejected();
    const { result, attempts, flags } = ask({ method });
    expect([result, attempts]).toEqual([200, ["b refuse", "a ok"]]);
    expect([...flags]).toEqual(["panic"]);
    expect(upstream("a").ejectedUntil).toBeUndefined();
    expect(ask().attempts).toEqual(["a ok"]);
  });

  test("a failure there does not extend the ejection", () => {
    const { ask, does, upstream } = ejected({ retry: { connectFor: "0s" } });
    does["a"] = "refuse";
    const until = upstream("a").ejectedUntil;
    const ejections = upstream("a").ejectedFor;
    for (let request = 0; request < 4; request++) expect(ask().attempts).toEqual(["b refuse", "a refuse"]);
    expect([upstream("a").ejectedUntil, upstream("a").ejectedFor]).toEqual([until, ejections]);
  });

  test("a failing status there is passed on, and the upstream stays ejected", () => {
    const { ask, does, upstream } = ejected();
    does["a"] = 503;
    expect(ask()).toMatchObject({ result: 503, attempts: ["b refuse", "a 503"] });
    expect(upstream("a").ejectedUntil).toBeDefined();
  });

  test("it goes on to an unhealthy upstream, which stays unhealthy", () => {
    const { ask, pool, does, upstream } = scene({ a: 1, b: 1 });
    pool.setHealth(upstream("a"), "unhealthy", "status 503");
    does["b"] = "refuse";
    expect(ask({ method: "POST" })).toMatchObject({ result: 200, attempts: ["b refuse", "a ok"] });
    expect(upstream("a").health).toBe("unhealthy");
  });

  test("it goes on to a half-open upstream whose one request is in flight", () => {
    const { ask, pool, upstream } = ejected();
    pool.ejections.beginTrial(upstream("a"));
    const trial = pool.begin(upstream("a"));
    expect(upstream("a").available).toBe(false);
    expect(ask()).toMatchObject({ result: 200, attempts: ["b refuse", "a ok"] });
    trial.settle("aborted");
  });

  test.each(["draining", "disabled"] as const)("it never goes to an upstream that is %s", (state) => {
    const { ask, pool, does, upstream } = scene({ a: 1, b: 1, c: 1 }, { retry: { connectFor: "0s" } });
    pool.setHealth(upstream("a"), "unhealthy", "status 503");
    pool.setState("a", state);
    Object.assign(does, { b: "refuse", c: "refuse" });
    expect(ask()).toMatchObject({ result: "connect_refused", attempts: ["b refuse", "c refuse"] });
  });

  test("it goes to none of them with `panic: fail`", () => {
    const { ask, pool, does, upstream } = scene({ a: 1, b: 1 }, { panic: "fail", retry: { connectFor: "0s" } });
    pool.setHealth(upstream("a"), "unhealthy", "status 503");
    does["b"] = "refuse";
    expect(ask()).toMatchObject({ result: "connect_refused", attempts: ["b refuse"] });
  });

  test("a reset alone does not lead to an unhealthy upstream", () => {
    const { ask, pool, does, upstream } = scene({ a: 1, b: 1 }, { retry: { attempts: 1 } });
    pool.setHealth(upstream("a"), "unhealthy", "status 503");
    does["b"] = "reset";
    expect(ask()).toMatchObject({ result: "reset", attempts: ["b reset", "b reset"] });
  });
});

describe("while no upstream can be connected", () => {
  function down(settings: PoolSettings = {}, members: Readonly<Record<string, MemberSketch>> = { a: 1 }) {
    const stage = scene(members, settings);
    expect(stage.ask().result).toBe(200);
    for (const id of Object.keys(members)) stage.does[id] = "refuse";
    return stage;
  }

  test.each(["GET", "POST"])("a %s waits and connects again until an upstream accepts", (method) => {
    const { send, does, clock, pool } = down();
    const sent = send({ method });
    clock.advance(800);
    expect(sent).toMatchObject({ result: undefined, flags: new Set(["outage"]) });
    expect(pool.snapshot().outage).toMatchObject({ waiting: 1 });
    does["a"] = "ok";
    clock.advance(300);
    expect(sent.result).toBe(200);
    expect(sent.attempts.at(-1)).toBe("a ok");
    expect(sent.attempts.length).toBeLessThan(12);
    expect(pool.snapshot().outage).toBeNull();
  });

  test("a request fails once the outage has lasted `connectFor`, and later requests fail at once", () => {
    const { send, ask, clock } = down({ retry: { connectFor: "1s" } });
    const startedAt = clock.now();
    const first = send();
    clock.advance(600);
    const second = send();
    clock.advance(600);
    for (const { result, endedAt } of [first, second]) {
      expect(result).toBe("connect_refused");
      expect(endedAt - startedAt).toBeLessThanOrEqual(1_010);
    }
    expect(ask()).toMatchObject({ result: "connect_refused", attempts: ["a refuse"] });
  });

  test.each([120, 150, 200, 300, 500])("a request that waits alone fails after %d ms and no later", (connectForMs) => {
    const { send, clock } = down({ retry: { connectFor: `${connectForMs}ms` } });
    const startedAt = clock.now();
    const sent = send();
    clock.advance(connectForMs + 1_000);
    expect(sent.result).toBe("connect_refused");
    // The outage begins with the failure of the first attempt, and the last attempt takes 1 ms too.
    expect(sent.endedAt - startedAt).toBeGreaterThanOrEqual(connectForMs);
    expect(sent.endedAt - startedAt).toBeLessThanOrEqual(connectForMs + 2.001);
  });

  test("the next outage is waited for again", () => {
    const { ask, does } = down({ retry: { connectFor: "1s" } });
    expect(ask().result).toBe("connect_refused");
    does["a"] = "ok";
    expect(ask().result).toBe(200);
    does["a"] = "refuse";
    expect(ask().attempts.length).toBeGreaterThan(3);
  });

  test("a request that the only upstream has reset is retried, then waits", () => {
    const { send, does, clock } = down();
    does["a"] = "reset";
    const sent = send();
    clock.advance(2);
    does["a"] = "refuse";
    clock.advance(600);
    does["a"] = "ok";
    clock.advance(300);
    expect(sent).toMatchObject({ result: 200 });
    expect(sent.attempts.slice(0, 2)).toEqual(["a reset", "a refuse"]);
  });

  test("no request waits in a pool that has had no success", () => {
    const { ask, does } = scene({ a: 1 });
    does["a"] = "refuse";
    expect(ask()).toMatchObject({ result: "connect_refused", attempts: ["a refuse"] });
  });

  test("no request waits with `connectFor: 0s`, or without connect failures in `retry.on`", () => {
    expect(down({ retry: { connectFor: "0s" } }).ask().attempts).toEqual(["a refuse"]);
    expect(down({ retry: { on: ["reset"] } }).ask().attempts).toEqual(["a refuse"]);
  });

  test("at most `queue.max` requests wait, none longer than `queue.timeout`", () => {
    const { send, clock } = down({ queue: { max: 2, timeout: "500ms" } });
    const startedAt = clock.now();
    const sent = [send(), send(), send()];
    clock.advance(2);
    expect(sent.map(({ result }) => result)).toEqual([undefined, undefined, "connect_refused"]);
    clock.advance(600);
    for (const { result, endedAt } of sent) {
      expect(result).toBe("connect_refused");
      expect(endedAt - startedAt).toBeLessThanOrEqual(510);
    }
  });

  test("`timeouts.total` ends the wait", () => {
    const { ask, clock } = down({ timeouts: { total: "300ms" } });
    const startedAt = clock.now();
    const { result, endedAt } = ask();
    expect([result, endedAt - startedAt]).toEqual(["total_timeout", 300]);
  });

  test("a client that disconnects ends the wait, and no timer or attempt remains", () => {
    const { send, clock, pool } = down();
    const sent = send();
    clock.advance(100);
    sent.leave();
    expect(pool.outage.depth).toBe(0);
    const { length } = sent.attempts;
    clock.advance(5_000);
    expect(sent.attempts).toHaveLength(length);
    expect([clock.pending, pool.inFlight]).toEqual([0, 0]);
  });

  test("closing the pool ends the wait with `closed`, and no later request waits", () => {
    const { send, ask, clock, pool } = down();
    const sent = send();
    clock.advance(100);
    pool.outage.close();
    clock.advance(5);
    expect(sent.result).toBe("closed");
    expect(ask().attempts).toEqual(["a refuse"]);
  });

  test("draining the last upstream ends the wait with `none_available`", () => {
    const { send, clock, pool } = down();
    const sent = [send(), send(), send()];
    clock.advance(100);
    pool.setState("a", "draining");
    clock.advance(260);
    for (const { result } of sent) expect(["none_available", "connect_refused"]).toContain(result);
    expect(sent.filter(({ result }) => result === "none_available").length).toBeGreaterThanOrEqual(2);
  });

  test("a hundred waiting requests are released in growing numbers once the upstream is back", () => {
    const { send, does, clock, pool } = down();
    const sent = Array.from({ length: 100 }, () => send());
    clock.advance(500);
    const dials = sent.reduce((sum, { attempts }) => sum + attempts.length, 0);
    // One attempt of each request, then one attempt at a time.
    expect(dials).toBeLessThan(120);
    does["a"] = "ok";
    let most = 0;
    for (let ms = 0; ms < 300; ms++) {
      clock.advance(1);
      most = Math.max(most, pool.inFlight);
    }
    expect(sent.every(({ result }) => result === 200)).toBe(true);
    expect(most).toBeLessThanOrEqual(80);
  });

  test("the snapshot shows when the wait ends", () => {
    const { send, clock, pool } = down();
    const at = clock.wallNow() + 1;
    send();
    clock.advance(100);
    expect(pool.snapshot().outage).toEqual({ since: at, waiting: 1, until: at + 2_000 });
    clock.advance(3_000);
    expect(pool.snapshot().outage).toEqual({ since: at, waiting: 0, until: null });
  });
});
