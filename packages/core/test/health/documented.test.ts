import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { defaults, limits } from "../../src/config/defaults.ts";
import { memberOf, poolOf } from "../support/pools.ts";

const text = readFileSync(new URL("../../../../docs/health.md", import.meta.url), "utf8");
const [, table = ""] = text.split("## Defaults");

test("the page quotes every default correctly", () => {
  const quoted = new Map([...table.matchAll(/^\| `([\w.]+)` \| `(.+)` \|$/gm)].map(([, key, value]) => [key, value]));
  const { panic, healthCheck, outlierDetection, slowStart, weights } = defaults;
  const inForce = new Map<string, string>(
    Object.entries({ healthCheck, outlierDetection, slowStart, weights }).flatMap(([name, settings]) =>
      Object.entries(settings).map(([key, value]) => [`${name}.${key}`, JSON.stringify(value)] as const),
    ),
  );
  inForce.set("panic", JSON.stringify(panic));
  const normal = (value = "") => JSON.stringify(JSON.parse(value));
  expect(Object.fromEntries([...quoted].map(([key, value]) => [key, normal(value)]))).toEqual(
    Object.fromEntries(inForce),
  );
});

test("the table of a slow start matches the behaviour of a pool", () => {
  const rows = [...text.matchAll(/^\| (?:with|of) .*$/gm)].map(([row]) =>
    row.split("|").slice(2, -1).map(Number.parseFloat),
  );
  const [seconds = [], percents = [], rooms = []] = rows;
  expect(seconds).toHaveLength(6);
  for (const [index, after] of seconds.entries()) {
    const { pool, clock } = poolOf({ a: { weight: 100, maxInFlight: 50 }, b: 1 }, { slowStart: {} });
    const a = memberOf(pool, "a");
    pool.setHealth(a, "unhealthy", "");
    pool.setHealth(a, "healthy", "");
    clock.advance(after * 1_000);
    pool.candidatesExcept([]);
    expect(a.effectiveWeight).toBeCloseTo(percents[index] ?? 0);
    while (a.available) pool.begin(a);
    expect(a.inFlight).toBe(rooms[index]);
  }
});

test("the page quotes the limits correctly", () => {
  const flat = text.replace(/\s+/g, " ");
  expect(flat).toContain(`up to ${limits.ejectionJitter * 100} % more by chance`);
  expect(flat).toContain(`Every ${limits.ejectionForgivenessMs / 1_000} seconds of good behaviour`);
  expect(flat).toContain(`at most ${limits.probeBodyBytes / 1_024} KiB of a response`);
  expect(flat).toContain(`with at least ${limits.feedbackMinimumRequests} requests is rated`);
  expect(limits.feedbackStep).toBe(1 / 4);
  expect(flat).toContain(`quartered, down to 1/${1 / limits.feedbackFloor}`);
  expect(flat).toContain(`nothing moves for ${limits.feedbackFreezeMs / 1_000} seconds`);
  expect(flat).toContain(`1 - load, at least ${limits.announcedFloor}`);
  expect(flat).toContain(`for ${limits.announcedMs / 60_000} minutes`);
});
