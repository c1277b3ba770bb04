import { describe, expect, test } from "vitest";
import { limits } from "../../src/config/defaults.ts";
import { resolvePool } from "../../src/config/resolve.ts";
import type { ResolvedUpstream } from "../../src/config/resolved.ts";
import { OutlierDetector } from "../../src/health/outlier-detector.ts";
import { Pool } from "../../src/pool/pool.ts";
import { idsOf, memberOf } from "../support/pools.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

/** Members as reported by discovery. */
function found(...urls: string[]): readonly ResolvedUpstream[] {
  return resolvePool({ upstreams: urls.map((url) => (url.includes("//") ? url : `http://${url}:80`)) }).upstreams;
}

function lab(options: Parameters<typeof resolvePool>[0] = {}) {
  const clock = new VirtualClock();
  const runtime = { clock, random: () => 0 };
  const settings = { healthCheck: {}, outlierDetection: { baseEjectionTime: "30s" as const }, ...options };
  const pool = new Pool("api", settings, runtime);
  const detector = new OutlierDetector(pool, undefined, runtime);
  detector.start();
  pool.setDiscovered(found("a", "b", "c"));
  const failing = (id: string, times = 5) => {
    for (let index = 0; index < times; index++) pool.begin(memberOf(pool, id)).settle("connect_refused");
  };
  return { clock, pool, detector, failing };
}

describe("a member that DNS drops and returns", () => {
  test("keeps its ejection, and gets its trial after the rest of it", async () => {
    const { clock, pool, failing } = lab();
    failing("a:80");
    expect(idsOf(pool.available)).toEqual(["b:80", "c:80"]);
    clock.advance(10_000);
    pool.setDiscovered(found("b", "c"));
    clock.advance(5_000);
    pool.setDiscovered(found("a", "b", "c"));
    expect(idsOf(pool.available)).toEqual(["b:80", "c:80"]);
    clock.advance(14_999);
    expect(memberOf(pool, "a:80").onTrial).toBe(false);
    clock.advance(1);
    expect(memberOf(pool, "a:80").onTrial).toBe(true);
    failing("a:80", 1);
    // The second ejection lasts twice as long, since the first one is remembered.
    expect(pool.snapshot().upstreams[0]).toMatchObject({ ejections: { "consecutive-failures": 1, "trial-failed": 1 } });
    expect((memberOf(pool, "a:80").ejectedUntil ?? 0) - clock.wallNow()).toBe(60_000);
  });

  test("gets its trial at once when its ejection has ended meanwhile", () => {
    const { clock, pool, failing } = lab();
    failing("a:80");
    pool.setDiscovered(found("b", "c"));
    clock.advance(40_000);
    pool.setDiscovered(found("a", "b", "c"));
    clock.advance(0);
    expect(memberOf(pool, "a:80")).toMatchObject({ onTrial: true, available: true });
    pool.begin(memberOf(pool, "a:80")).settle("success");
    expect(memberOf(pool, "a:80").ejectedUntil).toBeUndefined();
  });

  test("keeps its verdict, its counters, and the weight and state set by an operator", () => {
    const { clock, pool, failing } = lab();
    pool.setHealth(memberOf(pool, "a:80"), "unhealthy", "status 503");
    pool.setState("b:80", "disabled");
    failing("a:80", 2);
    pool.setDiscovered(found("c"));
    clock.advance(limits.departedMs - 1);
    pool.setDiscovered(found("a", "b", "c"));
    expect(idsOf(pool.available)).toEqual(["c:80"]);
    expect(pool.snapshot().upstreams).toMatchObject([
      { id: "a:80", health: "unhealthy", outcomes: { connect_refused: 2 } },
      { id: "b:80", state: "disabled" },
      { id: "c:80" },
    ]);
  });

  test("is a new member after a while, or when the server has changed", () => {
    const { clock, pool } = lab();
    const refuse = () => pool.setHealth(memberOf(pool, "a:80"), "unhealthy", "status 503");
    refuse();
    pool.setDiscovered(found("b"));
    clock.advance(limits.departedMs);
    pool.setDiscovered(found("a", "b"));
    expect(memberOf(pool, "a:80").health).toBe("unknown");
    refuse();
    pool.setDiscovered(found("b"));
    pool.setDiscovered(found("https://a:80", "b"));
    expect(memberOf(pool, "a:80").health).toBe("unknown");
  });

  test("loses its verdict and ejection when no watcher can end them", () => {
    const { pool, failing } = lab();
    failing("a:80");
    pool.setHealth(memberOf(pool, "b:80"), "unhealthy", "status 503");
    pool.setDiscovered(found("c"));
    const { upstreams: _upstreams, ...rest } = resolvePool({ outlierDetection: false, discovery: { name: "x" } });
    pool.reconfigure({ ...rest, upstreams: [] });
    pool.setDiscovered(found("a", "b", "c"));
    expect(idsOf(pool.available)).toEqual(["a:80", "b:80", "c:80"]);
  });

  test("may return with requests still in flight", () => {
    const { pool } = lab();
    const attempt = pool.begin(memberOf(pool, "a:80"));
    const before = memberOf(pool, "a:80");
    pool.setDiscovered(found("b", "c"));
    pool.setDiscovered(found("a", "b", "c"));
    expect(memberOf(pool, "a:80")).toBe(before);
    attempt.settle("success");
    expect(pool.snapshot().upstreams[0]).toMatchObject({ id: "a:80", inFlight: 0, outcomes: { success: 1 } });
    expect(new Set(pool.upstreams.map(({ slot }) => slot)).size).toBe(3);
    pool.setDiscovered(found("b", "c"));
    expect(idsOf(pool.upstreams)).toEqual(["b:80", "c:80"]);
  });

  test("never shares its slot with another member", () => {
    const { pool } = lab();
    for (const round of [["b"], ["b", "d"], ["a", "b", "d"], ["d"], ["a", "b", "c", "d", "e"]]) {
      pool.setDiscovered(found(...round));
      expect(new Set(pool.upstreams.map(({ slot }) => slot)).size).toBe(round.length);
    }
  });

  test("returns with a slow start, like a new member", () => {
    const { pool } = lab({ slowStart: { window: "30s" } });
    for (const upstream of pool.upstreams) {
      const attempt = pool.begin(upstream);
      attempt.responded(1, 200);
      attempt.settle("success");
    }
    pool.setDiscovered(found("b", "c"));
    pool.setDiscovered(found("a", "b", "c"));
    expect(pool.snapshot().upstreams.map(({ slowStart }) => slowStart)).toEqual([0.1, 1, 1]);
  });
});

test("the number of remembered members is bounded", () => {
  const { pool } = lab();
  const crowd = Array.from({ length: limits.departedMembers + 1 }, (_, index) => `n${index}`);
  pool.setDiscovered(found(...crowd));
  for (const id of ["n0:80", "n1:80"]) pool.setHealth(memberOf(pool, id), "unhealthy", "status 503");
  pool.setDiscovered([]);
  pool.setDiscovered(found("n0", "n1"));
  expect(pool.upstreams.map(({ health }) => health)).toEqual(["unknown", "unhealthy"]);
});
