// The effects of an ejection on the pool, and readmission.

import { describe, expect, test } from "vitest";
import { lineUp } from "../support/line-up.ts";
import { memberOf, urlOf } from "../support/pools.ts";
import { end, outlierLab } from "./outlier-lab.ts";

/** A pool in which `a` was ejected and is half-open, and `b` is available. */
function onTrial(...args: Parameters<typeof outlierLab>) {
  const lab = outlierLab(args[0], { members: { a: 1, b: 1 }, ...args[1] });
  lab.send("a", "reset", 5);
  lab.clock.advance(30_000);
  lab.log.length = 0;
  return lab;
}

describe("a half-open upstream", () => {
  test("gets one request at a time", () => {
    const { begin, end, pool, ids } = onTrial();
    expect(ids(pool.candidates)).toBe("a,b");
    const trial = begin("a");
    expect(ids(pool.candidates)).toBe("b");
    expect(memberOf(pool, "a").available).toBe(false);
    end(trial, "aborted");
    expect(ids(pool.candidates)).toBe("a,b");
  });

  test("is readmitted by response headers, while the response continues", () => {
    const { begin, log, pool } = onTrial();
    const trial = begin("a");
    trial.responded(5, 200);
    expect(log).toEqual(["30s a in: trial"]);
    expect(memberOf(pool, "a")).toMatchObject({
      onTrial: false,
      ejectedUntil: undefined,
      available: true,
      inFlight: 1,
    });
  });

  test("is readmitted before its response is truncated, which is the first failure of a new count", () => {
    const { begin, send, log } = onTrial();
    const trial = begin("a");
    trial.responded(5, 200);
    trial.settle("response_truncated");
    send("a", "reset", 3);
    expect(log).toEqual(["30s a in: trial"]);
    send("a", "reset");
    expect(log.at(-1)).toBe("30s a out for 60s: consecutive-failures");
  });

  test.each(["reset", "connect_refused", "headers_timeout"] as const)(
    "is ejected again for longer by %s",
    (outcome) => {
      const { send, log, pool } = onTrial();
      send("a", outcome);
      expect(log).toEqual(["30s a out for 60s: trial-failed"]);
      expect(memberOf(pool, "a").onTrial).toBe(false);
      expect(pool.snapshot().upstreams[0]?.ejections).toEqual({ "consecutive-failures": 1, "trial-failed": 1 });
    },
  );

  test("is ejected again by a failure status, before the end of the body", () => {
    const { begin, log } = onTrial();
    const trial = begin("a");
    trial.responded(5, 503);
    expect(log).toEqual(["30s a out for 60s: trial-failed"]);
    trial.settle("success");
    expect(log).toHaveLength(1);
  });

  test.each(["aborted", "stale", "no_file_descriptors", "total_timeout"] as const)(
    "%s proves nothing, and another trial follows",
    (outcome) => {
      const { send, log, pool } = onTrial();
      send("a", outcome, 3);
      expect(log).toEqual([]);
      expect(memberOf(pool, "a")).toMatchObject({ onTrial: true, available: true });
    },
  );

  test("gets a retry over a fresh connection as its trial request", () => {
    const { begin, end, log, pool } = onTrial();
    const first = begin("a");
    const again = pool.begin(memberOf(pool, "a"), first);
    end(first, "stale");
    expect(memberOf(pool, "a").available).toBe(false);
    end(again, "success");
    expect(log).toEqual(["30s a in: trial"]);
  });

  test("gets the next request when the trial request has no response in time", () => {
    const { begin, clock, log, pool, ids } = onTrial({}, { members: { a: 1, b: { maxInFlight: 1 } } });
    const events: string[] = [];
    const [, upload] = [begin("b"), begin("a")];
    pool.queue.options = { max: 1, timeoutMs: 60_000 };
    pool.queue.enter({ onRoom: () => events.push("room"), onTimeout: () => {} });
    clock.advance(29_999);
    expect([events, ids(pool.candidates)]).toEqual([[], ""]);
    clock.advance(1);
    expect([events, ids(pool.candidates)]).toEqual([["room"], "a"]);
    const next = begin("a");
    expect([upload.onTrial, next.onTrial, ids(pool.candidates)]).toEqual([true, true, ""]);
    end(next, "success");
    expect(log).toEqual(["60s a in: trial"]);
    // This request was started before the readmission, so it does not count.
    upload.settle("reset");
    expect(pool.snapshot().upstreams[0]).toMatchObject({ ejectedUntil: null, outcomes: { reset: 6, success: 1 } });
  });

  test.each([
    ["success", "75s a in: trial"],
    ["reset", "75s a out for 60s: trial-failed"],
  ] as const)("is decided by the late trial request too: %s", (outcome, line) => {
    const { begin, clock, log } = onTrial();
    const upload = begin("a");
    clock.advance(30_000);
    const next = begin("a");
    clock.advance(15_000);
    end(upload, outcome);
    expect(log).toEqual([line]);
    end(next, "reset");
    expect(log).toHaveLength(1);
  });

  test("gets no further request when the late trial request is aborted", () => {
    const { begin, clock, pool, ids } = onTrial({}, { timeouts: { headers: "5s" } });
    const upload = begin("a");
    clock.advance(5_000);
    const next = begin("a");
    upload.settle("aborted");
    expect(ids(pool.candidates)).toBe("b");
    next.settle("aborted");
    expect(ids(pool.candidates)).toBe("a,b");
    expect(clock.pending).toBe(0);
  });

  test("is neither blocked nor readmitted by streams started before the ejection", () => {
    const { begin, end, send, clock, log, pool } = outlierLab({}, { members: { a: 1, b: 1 } });
    const streams = Array.from({ length: 4 }, () => begin("a"));
    streams[0]?.responded(1, 200);
    clock.advance(1_000);
    send("a", "reset", 5);
    clock.advance(30_000);
    expect(memberOf(pool, "a")).toMatchObject({ onTrial: true, available: true, inFlight: 4 });
    streams[1]?.responded(1, 200);
    for (const stream of streams) end(stream, "success");
    expect(log).toHaveLength(1);
    send("a", "success");
    expect(log.at(-1)).toBe("31s a in: trial");
  });

  test("is not blocked by the trial request of an earlier ejection, which is still a stream", () => {
    const { begin, send, clock, log, pool } = onTrial();
    const stream = begin("a");
    stream.responded(1, 200);
    clock.advance(60_000);
    send("a", "reset", 5);
    clock.advance(60_000);
    expect(memberOf(pool, "a")).toMatchObject({ onTrial: true, available: true });
    const trial = begin("a");
    stream.settle("success");
    expect(memberOf(pool, "a").available).toBe(false);
    end(trial, "success");
    expect(log.at(-1)).toBe("150s a in: trial");
  });

  test("respects maxInFlight", () => {
    const { begin, send, clock, pool } = outlierLab({}, { members: { a: { maxInFlight: 2 }, b: 1 } });
    const streams = [begin("a"), begin("a")];
    send("a", "reset", 5);
    clock.advance(30_000);
    expect(memberOf(pool, "a").available).toBe(false);
    streams[0]?.settle("success");
    expect(memberOf(pool, "a").available).toBe(true);
  });

  test("is readmitted with a slow start", () => {
    const { send, pool } = onTrial({}, { slowStart: {} });
    expect(memberOf(pool, "a").effectiveWeight).toBe(1);
    send("a", "success");
    expect(memberOf(pool, "a").effectiveWeight).toBeCloseTo(0.1);
  });
});

describe("a probe", () => {
  const probe = ({ pool, clock }: ReturnType<typeof outlierLab>, startedAt = clock.now(), success = true) =>
    pool.countProbe(memberOf(pool, "a"), { ok: success, reason: "status 200" }, startedAt);

  test("that succeeds ends an ejection for failed connections", () => {
    const lab = outlierLab();
    lab.send("a", "connect_refused", 5);
    lab.clock.advance(1_000);
    probe(lab, 1_000, false);
    expect(lab.isOut("a")).toBe(true);
    probe(lab);
    expect(lab.log.at(-1)).toBe("1s a in: probe");
    expect(lab.clock.pending).toBe(0);
  });

  test("does not end an ejection if one of its failures was a status", () => {
    const lab = outlierLab();
    lab.send("a", "reset", 4);
    lab.send("a", 500);
    lab.clock.advance(1_000);
    probe(lab);
    expect(lab.isOut("a")).toBe(true);
  });

  test("ends an ejection if the only failed status was not among its failures", () => {
    const lab = outlierLab();
    lab.send("a", 500);
    lab.send("a", "success");
    lab.send("a", "reset", 5);
    probe(lab);
    expect(lab.log.at(-1)).toBe("0s a in: probe");
  });

  test("checks every failure in the window if the failure ratio was the reason", () => {
    const mixed = (status: 500 | "reset") => {
      const lab = outlierLab({ consecutiveFailures: 0, minimumRequests: 4 });
      lab.send("a", status);
      lab.send("a", "success", 2);
      lab.send("a", "reset");
      expect(lab.log).toHaveLength(1);
      probe(lab);
      return lab.isOut("a");
    };
    expect([mixed("reset"), mixed(500)]).toEqual([false, true]);
  });

  test("started before the ejection does not count", () => {
    const lab = outlierLab();
    lab.clock.advance(500);
    lab.send("a", "reset", 5);
    lab.clock.advance(100);
    probe(lab, 499);
    expect(lab.isOut("a")).toBe(true);
    probe(lab, 500);
    expect(lab.isOut("a")).toBe(false);
  });

  test("counts while a trial request is in flight", () => {
    const lab = onTrial();
    const trial = lab.begin("a");
    probe(lab);
    expect(lab.log).toEqual(["30s a in: probe"]);
    trial.settle("reset");
    expect(lab.log).toHaveLength(1);
  });
});

describe("panic", () => {
  test("uses ejected upstreams and reports it; `fail` does not use them", () => {
    const candidates = (panic: "use-all" | "fail") => {
      const { send, pool, ids } = outlierLab({ maxEjectionPercent: 100 }, { members: { a: 1, b: 1 }, panic });
      send("a", "reset", 5);
      send("b", "reset", 5);
      return [ids(pool.candidates), pool.panic, pool.mayFreeUp([])];
    };
    expect(candidates("use-all")).toEqual(["a,b", true, false]);
    expect(candidates("fail")).toEqual(["", false, false]);
  });

  test("requests neither readmit an upstream nor extend its ejection", () => {
    const { send, log, clock, isOut } = outlierLab({ maxEjectionPercent: 100 }, { members: { a: 1, b: 1 } });
    send("a", "reset", 5);
    send("b", "reset", 5);
    clock.advance(10);
    send("a", "success", 10);
    send("b", "reset", 10);
    expect(log).toHaveLength(2);
    expect([isOut("a"), isOut("b")]).toEqual([true, true]);
  });
});

describe("waiting requests", () => {
  test("fail at once when the only upstream that they can use is ejected", () => {
    const { begin, pool, end } = outlierLab(
      { consecutiveFailures: 1 },
      { members: { a: { maxInFlight: 2 }, b: 1 }, panic: "fail" },
    );
    const log: string[] = [];
    const [first] = [begin("a"), begin("a")];
    lineUp(pool, log, "x", [memberOf(pool, "b")]);
    end(first, "reset");
    expect(log).toEqual(["x: none"]);
    expect(pool.queue.depth).toBe(0);
  });

  test("go to another upstream when it has room", () => {
    const { begin, pool, end } = outlierLab(
      { consecutiveFailures: 1 },
      { members: { a: { maxInFlight: 1 }, spare: { backup: true, maxInFlight: 1 } } },
    );
    const log: string[] = [];
    const [first, second] = [begin("a"), begin("spare")];
    for (const name of ["x", "y"]) lineUp(pool, log, name);
    second.settle("success");
    expect(log).toEqual(["x: spare"]);
    end(first, "reset");
    expect(log).toEqual(["x: spare"]);
    expect(memberOf(pool, "a").ejectedUntil).toBeDefined();
  });

  test("go to a half-open upstream one by one", () => {
    const { begin, send, clock, pool } = outlierLab(
      {},
      { members: { a: { maxInFlight: 3 }, b: { maxInFlight: 1 } }, queue: { timeout: "1m" } },
    );
    const log: string[] = [];
    begin("b");
    send("a", "reset", 5);
    for (const name of ["x", "y", "z"]) lineUp(pool, log, name);
    clock.advance(29_999);
    expect(log).toEqual([]);
    clock.advance(1);
    expect(log).toEqual(["x: a"]);
  });

  test("go to a half-open upstream once its trial request has succeeded", () => {
    const { begin, send, clock, pool } = outlierLab({}, { members: { a: { maxInFlight: 3 }, b: { maxInFlight: 1 } } });
    const log: string[] = [];
    begin("b");
    send("a", "reset", 5);
    clock.advance(30_000);
    const trial = begin("a");
    for (const name of ["x", "y", "z"]) lineUp(pool, log, name);
    trial.responded(1, 200);
    expect(log).toEqual(["x: a", "y: a"]);
    trial.settle("success");
    expect(log).toEqual(["x: a", "y: a", "z: a"]);
  });

  test("keep their position in the queue when they have tried the upstream that gets room", () => {
    const { begin, pool } = outlierLab({}, { members: { a: { maxInFlight: 1 }, b: { maxInFlight: 1 } } });
    const log: string[] = [];
    const [onA, onB] = [begin("a"), begin("b")];
    lineUp(pool, log, "retry", [memberOf(pool, "a")]);
    lineUp(pool, log, "next");
    onA.settle("success");
    expect(log).toEqual(["next: a"]);
    onB.settle("success");
    expect(log).toEqual(["next: a", "retry: b"]);
  });

  test("fail when the only untried upstream is ejected, even if the others are only full", () => {
    const { begin, pool } = outlierLab(
      { consecutiveFailures: 1 },
      { members: { a: { maxInFlight: 1 }, b: { maxInFlight: 1 } } },
    );
    const log: string[] = [];
    const [, onB] = [begin("a"), begin("b")];
    lineUp(pool, log, "retry", [memberOf(pool, "a")]);
    onB.settle("reset");
    expect(log).toEqual(["retry: none"]);
  });
});

describe("reload and close", () => {
  test("switching detection off readmits every upstream and leaves no timer", () => {
    const { send, reload, clock, log } = outlierLab();
    send("a", "reset", 5);
    clock.advance(1_000);
    send("b", 500, 5);
    reload(false);
    expect(log.slice(2)).toEqual(["1s a in: off", "1s b in: off"]);
    expect(clock.pending).toBe(0);
    send("a", "reset", 100);
    expect(log).toHaveLength(4);
  });

  test("switching detection on starts with empty counts", () => {
    const { send, reload, log } = outlierLab(false);
    send("a", "reset", 100);
    reload({});
    send("a", "reset", 4);
    expect(log).toEqual([]);
    send("a", "reset");
    expect(log).toHaveLength(1);
  });

  test("new limits apply from the next failure on, and current ejections keep their duration", () => {
    const { send, reload, log, clock, pool } = outlierLab();
    send("a", "reset", 5);
    send("b", "reset", 2);
    reload({ consecutiveFailures: 3, baseEjectionTime: "1s", maxEjectionTime: "10s", window: "20s" });
    expect(log).toHaveLength(1);
    send("b", "reset");
    expect(log.at(-1)).toBe("0s b out for 1s: consecutive-failures");
    clock.advance(29_999);
    expect(memberOf(pool, "a").onTrial).toBe(false);
    clock.advance(1);
    expect(memberOf(pool, "a").onTrial).toBe(true);
  });

  test("a reload that changes other options keeps the counts", () => {
    const { send, reload, log } = outlierLab();
    send("a", "reset", 4);
    reload({}, undefined, { balance: "round-robin" });
    send("a", "reset");
    expect(log).toHaveLength(1);
  });

  test("removing an ejected upstream clears its timer, and a new upstream with its id starts with empty counts", () => {
    const { send, begin, end, pool, clock, log, isOut } = outlierLab();
    const late = begin("a");
    send("a", "reset", 5);
    pool.remove("a");
    expect(clock.pending).toBe(0);
    pool.add({ id: "a", url: urlOf("other") });
    end(late, "reset");
    send("a", "reset", 4);
    expect(isOut("a")).toBe(false);
    expect(log).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  test.each([200, 500])(
    "an upstream removed during its trial request (%d) is neither readmitted nor ejected",
    (status) => {
      const { begin, end, pool, clock, log } = onTrial();
      const trial = begin("a");
      pool.remove("a");
      end(trial, status);
      expect(log).toEqual([]);
      expect(clock.pending).toBe(0);
      expect(pool.upstreams.map(({ id }) => id)).toEqual(["b"]);
    },
  );

  test("failed requests of a removed upstream start no timer", () => {
    const { begin, end, pool, clock, log } = outlierLab();
    const attempts = Array.from({ length: 10 }, () => begin("a"));
    pool.remove("a");
    for (const attempt of attempts) end(attempt, "reset");
    expect(log).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test("an upstream that stays ejected over a reload of the members becomes half-open on time", () => {
    const { send, reload, clock, pool, log } = outlierLab();
    send("a", "reset", 5);
    reload({}, { a: 5, b: 1, e: 1 });
    clock.advance(30_000);
    expect(memberOf(pool, "a")).toMatchObject({ onTrial: true, weight: 5 });
    send("a", "success");
    expect(log.at(-1)).toBe("30s a in: trial");
  });

  test("stopping the pool leaves no timer, and ejected upstreams get no requests", () => {
    const { send, managed, pool, clock, ids, log } = outlierLab();
    send("a", "reset", 5);
    managed.stop();
    expect(clock.pending).toBe(0);
    expect(ids(pool.candidates)).toBe("b,c,d");
    expect(log).toHaveLength(1);
  });

  test("replacing all members at once loses no waiting request", () => {
    const { begin, pool, reload } = outlierLab({}, { members: { a: { maxInFlight: 1 } } });
    const log: string[] = [];
    begin("a");
    lineUp(pool, log, "x");
    reload({}, { b: 1 });
    expect(log).toEqual(["x: b"]);
  });
});
