/** What is logged, and how much of it, on virtual time. */

import { setImmediate } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import type { PoolOptions, ProxyOptions } from "../../src/config/options.ts";
import { createProxy } from "../../src/index.ts";
import type { LogEntry } from "../../src/log/logger.ts";
import { logPoolEvents, type PoolEventSource } from "../../src/log/pool-events.ts";
import type { Pool } from "../../src/pool/pool.ts";
import { memberOf } from "../support/pools.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** A proxy with one pool, and the lines that it logs. Nothing is probed or connected to. */
function lab(upstreams = 3, settings: Omit<PoolOptions, "upstreams"> = {}) {
  const clock = new VirtualClock();
  const entries: LogEntry[] = [];
  const list = Array.from({ length: upstreams }, (_, index) => ({
    id: `u${index}`,
    url: `http://10.0.0.1:${index + 1}`,
  }));
  const options: ProxyOptions = { pools: { api: { ...settings, upstreams: list } } };
  const proxy = createProxy(options, { clock, random: () => 0, logger: (entry) => void entries.push(entry) });
  onTestFinished(() => proxy.close({ timeout: "0s" }));
  const pool = proxy.pools.get("api") as Pool;
  const lines = () => entries.splice(0).map(({ level, message }) => `${level} ${message}`);
  const turn = (id: string, to: "healthy" | "unhealthy") =>
    pool.setHealth(memberOf(pool, id), to, to === "healthy" ? "status 200" : "connect_refused");
  return { clock, entries, lines, proxy, pool, options, turn };
}

test("a change is logged with its reason, a return with the time of the outage", () => {
  const { clock, lines, turn } = lab();
  turn("u0", "unhealthy");
  clock.advance(30 * second);
  turn("u0", "healthy");
  expect(lines()).toEqual([
    "warn api/u0 is unhealthy: connect_refused",
    "info api/u0 is healthy: status 200, after 30 s",
  ]);
});

test("an upstream that is down for a day is remembered after a minute, ten more, and each hour", () => {
  const { clock, lines, turn } = lab();
  turn("u0", "unhealthy");
  clock.advance(11 * minute);
  expect(lines()).toEqual([
    "warn api/u0 is unhealthy: connect_refused",
    "warn api: 1 of 3 upstreams are still unavailable: u0 (unhealthy for 1 min: connect_refused)",
    "warn api: 1 of 3 upstreams are still unavailable: u0 (unhealthy for 11 min: connect_refused)",
  ]);
  turn("u1", "unhealthy");
  turn("u2", "unhealthy");
  clock.advance(hour);
  expect(lines().at(-1)).toBe(
    "error api: 3 of 3 upstreams are still unavailable: u0 (unhealthy for 1 h 11 min: connect_refused), " +
      "u1 (unhealthy for 1 h: connect_refused), u2 (unhealthy for 1 h: connect_refused); " +
      "no upstream is available",
  );
  for (const id of ["u1", "u2"]) turn(id, "healthy");
  lines();
  clock.advance(day - 71 * minute);
  expect(lines()).toHaveLength(22);
  turn("u0", "healthy");
  expect(lines()).toEqual(["info api/u0 is healthy: status 200, after 1 d"]);
  clock.advance(day);
  expect(lines()).toEqual([]);
});

test("repeated ejections of an upstream that stays down are counted", () => {
  const { clock, lines, pool } = lab();
  const upstream = memberOf(pool, "u0");
  pool.ejections.eject(upstream, "consecutive-failures", 10 * second);
  let ejections = 1;
  for (let at = 0; at < day; at += 5 * minute, ejections++) {
    clock.advance(5 * minute);
    pool.ejections.beginTrial(upstream);
    pool.ejections.eject(upstream, "trial-failed", 5 * minute);
  }
  const logged = lines();
  expect(logged).toHaveLength(1 + 2 + 23);
  expect(logged[0]).toBe("warn api/u0 is ejected for 10 s: consecutive-failures");
  expect(logged[3]).toBe(
    "warn api: 1 of 3 upstreams are still unavailable: u0 (ejected for 1 h 11 min, ejected 15 times: consecutive-failures)",
  );
  pool.ejections.readmit(upstream, "trial");
  expect(lines()).toEqual([
    `info api/u0 is readmitted: a trial request succeeded, after 1 d, ejected ${ejections} times`,
  ]);
});

describe("what changes too often is summarized", () => {
  test("an upstream that flaps for a day", () => {
    const { clock, lines, turn } = lab();
    for (let at = 0; at < day; at += 20 * second) {
      turn("u0", "unhealthy");
      clock.advance(10 * second);
      turn("u0", "healthy");
      clock.advance(10 * second);
    }
    const logged = lines();
    expect(logged.length).toBeGreaterThan(30);
    expect(logged.length).toBeLessThan(45);
    expect(logged[10]).toMatch(
      /^warn api\/u0: \d+ more changes in 10 min \(\d+ unhealthy, \d+ healthy\), the last: api\/u0 is (un)?healthy: /,
    );
    // Once it is stable, its changes are logged one by one again.
    clock.advance(2 * hour);
    lines();
    turn("u0", "unhealthy");
    expect(lines()).toEqual(["warn api/u0 is unhealthy: connect_refused"]);
  });

  test("a thousand upstreams that all go down at once and stay down for a day", () => {
    const { clock, lines, turn, entries } = lab(1_000);
    for (let index = 0; index < 1_000; index++) turn(`u${index}`, "unhealthy");
    expect(entries).toHaveLength(200);
    clock.advance(day);
    const logged = lines();
    expect(logged.length).toBeLessThan(235);
    expect(logged[200]).toMatch(
      /^warn api: 800 more changes in 10 s \(800 unhealthy\), the last: api\/u999 is unhealthy/,
    );
    expect(logged.at(-1)).toMatch(
      /^error api: 1000 of 1000 upstreams .* u4 \([^)]*\), and 995 more; no upstream is available$/,
    );
  });

  test("a thousand upstreams that flap for hours", () => {
    const { clock, lines, turn, proxy } = lab(1_000);
    for (let at = 0; at < 4 * hour; at += 20 * minute) {
      for (const to of ["unhealthy", "healthy", "unhealthy", "healthy"] as const) {
        for (let index = 0; index < 1_000; index++) turn(`u${index}`, to);
        clock.advance(5 * minute);
      }
    }
    // 200 at once, then one each minute, summaries and reminders.
    const logged = lines();
    expect(logged.length).toBeLessThan(500);
    expect(logged.some((line) => /^warn api: \d+ more changes in .* \(.*\d+ flapping/.test(line))).toBe(true);
    void proxy.close({ timeout: "0s" });
    expect(lines().length).toBeLessThan(3);
  });
});

test("no reminder names what an operator has disabled, and none comes for what a reload has removed", () => {
  const { clock, lines, pool, proxy, options, turn } = lab();
  turn("u0", "unhealthy");
  turn("u1", "unhealthy");
  pool.setState("u0", "disabled");
  clock.advance(minute);
  expect(lines().at(-1)).toContain("1 of 3 upstreams are still unavailable: u1 (");
  proxy.reload({ ...options, pools: { other: { upstreams: ["http://10.0.0.1:9"] } } } as ProxyOptions);
  expect(lines().at(-1)).toContain("info reloaded: pools added: other; pools removed: api");
  expect(() => proxy.reload({ upstreams: ["nonsense"] })).toThrow();
  expect(lines()).toEqual([expect.stringMatching(/^error reload failed, the old configuration stays in force: /)]);
  clock.advance(day);
  expect(lines()).toEqual([]);
});

test("a logger that is added gets the same once, until it is stopped", () => {
  const { turn, proxy, lines } = lab();
  const messages: string[] = [];
  const logger = ({ message }: LogEntry) => void messages.push(message);
  const stop = proxy.logs.add(logger);
  proxy.logs.add(logger);
  turn("u0", "unhealthy");
  expect(messages).toEqual(["api/u0 is unhealthy: connect_refused"]);
  stop();
  turn("u0", "healthy");
  expect(messages).toHaveLength(1);
  expect(lines()).toHaveLength(2);
});

test("what is no logger is an error of createProxy", () => {
  expect(() => createProxy({ upstreams: ["http://10.0.0.1:9"] }, { logger: {} as never })).toThrow(
    "logger: expected a logger with info, warn and error, or a function, found {}",
  );
});

test("reminders of a group go on after a snapshot that fails", async () => {
  const { clock, proxy, turn } = lab();
  const messages: string[] = [];
  const snapshots = [
    () => Promise.reject(new Error("a worker has not responded")),
    () => Promise.resolve(proxy.snapshot()),
  ];
  const source: PoolEventSource = {
    on: (name, listener) => proxy.on(name, listener as never),
    off: (name, listener) => proxy.off(name, listener as never),
    snapshot: () => snapshots.shift()?.() ?? proxy.snapshot(),
  };
  onTestFinished(logPoolEvents(source, ({ message }) => void messages.push(message), { clock }));
  turn("u0", "unhealthy");
  for (let count = 0; count < 2; count++) {
    clock.advance(minute);
    await setImmediate();
  }
  expect(messages).toEqual([
    "api/u0 is unhealthy: connect_refused",
    "api: 1 of 3 upstreams are still unavailable: u0 (unhealthy for 2 min: connect_refused)",
  ]);
});
