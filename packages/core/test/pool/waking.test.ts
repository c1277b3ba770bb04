import { expect, test, vi } from "vitest";
import { OutlierDetector } from "../../src/health/outlier-detector.ts";
import type { AttemptObserver } from "../../src/pool/attempt.ts";
import type { Pool } from "../../src/pool/pool.ts";
import { memberOf, poolOf } from "../support/pools.ts";

/** Puts a request into the queue that picks the first candidate when it is woken. */
function enqueue(pool: Pool, onPicked: (id: string | undefined) => void): void {
  pool.queue.enter({
    tried: [],
    onTimeout() {},
    onRoom() {
      const [upstream] = pool.candidates;
      if (upstream !== undefined) pool.begin(upstream);
      onPicked(upstream?.id);
    },
  });
}

/** Two upstreams with room for one request each, and a detector that ejects at the first failure. */
function fullPool() {
  const { pool, runtime } = poolOf(
    { a: { maxInFlight: 1 }, b: { maxInFlight: 1 } },
    { outlierDetection: { consecutiveFailures: 1 }, panic: "fail" },
  );
  new OutlierDetector(pool, undefined, runtime).start();
  const begin = (id: string) => pool.begin(memberOf(pool, id));
  return { pool, runtime, begin, a: begin("a"), b: begin("b") };
}

function observe(pool: Pool, observer: Partial<AttemptObserver>): void {
  pool.observe({ onResponded() {}, onSettled() {}, ...observer });
}

test("an outcome wakes waiters once, after every observer and event, when the ejection is in force", () => {
  const { pool, a, b } = fullPool();
  const log: string[] = [];
  observe(pool, { onSettled: ({ upstream }) => void log.push(`observed ${upstream.id}`) });
  pool.on("eject", ({ upstream }) => log.push(`ejected ${upstream}`));
  pool.on("failure", ({ id }) => log.push(`failure of ${id}`));
  enqueue(pool, (id) => log.push(`first picks ${id}`));
  enqueue(pool, (id) => log.push(`second picks ${id}`));
  const wake = vi.spyOn(pool.queue, "wake");

  a.settle("reset");
  expect(log.splice(0)).toEqual(["ejected a", "observed a", "failure of a"]);
  expect(wake).toHaveBeenCalledTimes(1);
  b.settle("success");
  expect(log).toEqual(["observed b", "first picks b"]);
  expect(wake).toHaveBeenCalledTimes(2);
  expect(pool.queue.depth).toBe(1);
});

test("what a listener changes during an outcome is in force before waiters are woken", () => {
  const { pool, a } = fullPool();
  const log: string[] = [];
  observe(pool, { onSettled: () => void log.push("observed") });
  enqueue(pool, (id) => log.push(`picks ${id}`));
  pool.on("eject", () => pool.setState("b", "disabled"));
  a.settle("reset");
  expect(log).toEqual(["observed", "picks undefined"]);
});

test("a response on trial readmits its upstream, and wakes waiters after the other observers", () => {
  const { pool, runtime, begin, a } = fullPool();
  a.settle("reset");
  runtime.clock.advance(60_000);
  expect(memberOf(pool, "a").onTrial).toBe(true);
  const trial = begin("a");
  pool.reconfigure({ ...pool.options, upstreams: pool.options.upstreams.map((one) => ({ ...one, maxInFlight: 2 })) });
  pool.setState("b", "disabled");
  const log: string[] = [];
  observe(pool, { onResponded: ({ upstream }) => void log.push(`observed ${upstream.id}`) });
  enqueue(pool, (id) => log.push(`picks ${id}`));
  trial.responded(1, 200);
  expect(log).toEqual(["observed a", "picks a"]);
});

test("an outcome that changes no one's place wakes no waiter", () => {
  const { pool } = poolOf({ a: 1 });
  const wake = vi.spyOn(pool.queue, "wake");
  pool.begin(memberOf(pool, "a")).settle("success");
  expect(wake).not.toHaveBeenCalled();
});

test("a tunnel that closes is released before its place is given away", () => {
  const { pool } = poolOf({ a: { maxInFlight: 1 } });
  const close = pool.begin(memberOf(pool, "a")).becomeTunnel();
  let tunnels = -1;
  enqueue(pool, () => {
    tunnels = pool.tunnels;
  });
  close();
  expect(tunnels).toBe(0);
});

test("a woken request that ends at once wakes the next one, and not from inside its own call", () => {
  const { pool } = poolOf({ a: { maxInFlight: 1 } }, { queue: { max: 10_000 } });
  const attempt = pool.begin(memberOf(pool, "a"));
  let served = 0;
  let depth = 0;
  let deepest = 0;
  for (let count = 0; count < 10_000; count++) {
    pool.queue.enter({
      onTimeout() {},
      onRoom() {
        deepest = Math.max(deepest, ++depth);
        const [upstream] = pool.candidates;
        if (upstream !== undefined) pool.begin(upstream).settle("connect_refused");
        served++;
        depth--;
      },
    });
  }
  attempt.settle("success");
  expect([served, deepest, pool.queue.depth]).toEqual([10_000, 1, 0]);
});

test("an observer that throws keeps no waiter from its place, then or later", () => {
  const { pool } = poolOf({ a: { maxInFlight: 1 } });
  const [first, picked] = [pool.begin(memberOf(pool, "a")), [] as (string | undefined)[]];
  observe(pool, {
    onSettled() {
      throw new Error("broken");
    },
  });
  enqueue(pool, (id) => picked.push(id));
  expect(() => first.settle("success")).toThrow("broken");
  expect(memberOf(pool, "a").inFlight).toBe(0);
  pool.setWeight("a", 2);
  expect(picked).toEqual(["a"]);
});
