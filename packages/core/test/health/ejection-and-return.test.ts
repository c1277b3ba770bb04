// What an ejection means for the rest of the pool, and how an upstream comes back from it.

import { describe, expect, test } from "vitest";
import { lineUp } from "../support/line-up.ts";
import { memberOf, urlOf } from "../support/pools.ts";
import { end, outlierLab } from "./outlier-lab.ts";

/** `a` has been out and is on trial; `b` serves. */
function onTrial(...args: Parameters<typeof outlierLab>) {
  const lab = outlierLab(args[0], { members: { a: 1, b: 1 }, ...args[1] });
  lab.send("a", "reset", 5);
  lab.clock.advance(30_000);
  lab.log.length = 0;
  return lab;
}

describe("on trial", () => {
  test("there is one request at a time", () => {
    const { begin, end, pool, ids } = onTrial();
    expect(ids(pool.candidates)).toBe("a,b");
    const trial = begin("a");
    expect(ids(pool.candidates)).toBe("b");
    expect(memberOf(pool, "a").available).toBe(false);
    end(trial, "aborted");
    expect(ids(pool.candidates)).toBe("a,b");
  });

  test("response headers are enough, and the rest of the answer goes on", () => {
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

  test("an answer that breaks off later is the first failure of a new count", () => {
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
    "%s is the way out again, for longer",
    (outcome) => {
      const { send, log, pool } = onTrial();
      send("a", outcome);
      expect(log).toEqual(["30s a out for 60s: trial-failed"]);
      expect(memberOf(pool, "a").onTrial).toBe(false);
      expect(pool.snapshot().upstreams[0]?.ejections).toEqual({ "consecutive-failures": 1, "trial-failed": 1 });
    },
  );

  test("so is a bad status, without waiting for the body that comes with it", () => {
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

  test("an attempt that goes on over a fresh connection is the trial from then on", () => {
    const { begin, end, log, pool } = onTrial();
    const first = begin("a");
    const again = pool.begin(memberOf(pool, "a"), first);
    end(first, "stale");
    expect(memberOf(pool, "a").available).toBe(false);
    end(again, "success");
    expect(log).toEqual(["30s a in: trial"]);
  });

  test("a request that has no answer in time makes room for the next one", () => {
    const { begin, clock, log, pool, ids } = onTrial({}, { members: { a: 1, b: { maxInFlight: 1 } } });
    const told: string[] = [];
    const [, upload] = [begin("b"), begin("a")];
    pool.queue.options = { max: 1, timeoutMs: 60_000 };
    pool.queue.enter({ onRoom: () => told.push("room"), onTimeout: () => {} });
    clock.advance(29_999);
    expect([told, ids(pool.candidates)]).toEqual([[], ""]);
    clock.advance(1);
    expect([told, ids(pool.candidates)]).toEqual([["room"], "a"]);
    const next = begin("a");
    expect([upload.onTrial, next.onTrial, ids(pool.candidates)]).toEqual([true, true, ""]);
    end(next, "success");
    expect(log).toEqual(["60s a in: trial"]);
    // By now it is one of those from before the return.
    upload.settle("reset");
    expect(pool.snapshot().upstreams[0]).toMatchObject({ ejectedUntil: null, outcomes: { reset: 6, success: 1 } });
  });

  test.each([
    ["success", "75s a in: trial"],
    ["reset", "75s a out for 60s: trial-failed"],
  ] as const)("what a request brings after that is as good a proof: %s", (outcome, line) => {
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

  test("an end after that takes the place of no other", () => {
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

  test("streams from before neither stand in its way nor speak for the upstream", () => {
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

  test("the trial of an earlier ejection is one of those streams", () => {
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

  test("a limit on requests holds all the same", () => {
    const { begin, send, clock, pool } = outlierLab({}, { members: { a: { maxInFlight: 2 }, b: 1 } });
    const streams = [begin("a"), begin("a")];
    send("a", "reset", 5);
    clock.advance(30_000);
    expect(memberOf(pool, "a").available).toBe(false);
    streams[0]?.settle("success");
    expect(memberOf(pool, "a").available).toBe(true);
  });

  test("it comes back by slow start", () => {
    const { send, pool } = onTrial({}, { slowStart: {} });
    expect(memberOf(pool, "a").effectiveWeight).toBe(1);
    send("a", "success");
    expect(memberOf(pool, "a").effectiveWeight).toBeCloseTo(0.1);
  });
});

describe("a probe", () => {
  const probe = ({ pool, clock }: ReturnType<typeof outlierLab>, startedAt = clock.now(), success = true) =>
    pool.countProbe(memberOf(pool, "a"), success, startedAt);

  test("that goes well ends an ejection for connections that failed", () => {
    const lab = outlierLab();
    lab.send("a", "connect_refused", 5);
    lab.clock.advance(1_000);
    probe(lab, 1_000, false);
    expect(lab.isOut("a")).toBe(true);
    probe(lab);
    expect(lab.log.at(-1)).toBe("1s a in: probe");
    expect(lab.clock.pending).toBe(0);
  });

  test("says nothing about one for statuses, were it a single one", () => {
    const lab = outlierLab();
    lab.send("a", "reset", 4);
    lab.send("a", 500);
    lab.clock.advance(1_000);
    probe(lab);
    expect(lab.isOut("a")).toBe(true);
  });

  test("is not held back by a status that has nothing to do with it", () => {
    const lab = outlierLab();
    lab.send("a", 500);
    lab.send("a", "success");
    lab.send("a", "reset", 5);
    probe(lab);
    expect(lab.log.at(-1)).toBe("0s a in: probe");
  });

  test("asks for the whole window when the ratio was the reason", () => {
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

  test("that began before the ejection is old news", () => {
    const lab = outlierLab();
    lab.clock.advance(500);
    lab.send("a", "reset", 5);
    lab.clock.advance(100);
    probe(lab, 499);
    expect(lab.isOut("a")).toBe(true);
    probe(lab, 500);
    expect(lab.isOut("a")).toBe(false);
  });

  test("counts while a trial is on, too", () => {
    const lab = onTrial();
    const trial = lab.begin("a");
    probe(lab);
    expect(lab.log).toEqual(["30s a in: probe"]);
    trial.settle("reset");
    expect(lab.log).toHaveLength(1);
  });
});

describe("panic", () => {
  test("uses who is ejected, and says so; `fail` does not", () => {
    const candidates = (panic: "use-all" | "fail") => {
      const { send, pool, ids } = outlierLab({ maxEjectionPercent: 100 }, { members: { a: 1, b: 1 }, panic });
      send("a", "reset", 5);
      send("b", "reset", 5);
      return [ids(pool.candidates), pool.panic, pool.mayFreeUp([])];
    };
    expect(candidates("use-all")).toEqual(["a,b", true, false]);
    expect(candidates("fail")).toEqual(["", false, false]);
  });

  test("proves nothing, neither for nor against", () => {
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

describe("those who wait", () => {
  test("for one that is ejected are told at once that nobody will come", () => {
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

  test("go elsewhere, when there is room elsewhere", () => {
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

  test("are let in by a trial one by one", () => {
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

  test("behind a trial come in with its success", () => {
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

  test("and have tried whoever comes free, stay where they are in the line", () => {
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

  test("and have tried all but the one that is ejected now, hear of it, though others are only full", () => {
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
  test("switching detection off brings everybody back, and leaves no timer", () => {
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

  test("switching it on begins with nothing", () => {
    const { send, reload, log } = outlierLab(false);
    send("a", "reset", 100);
    reload({});
    send("a", "reset", 4);
    expect(log).toEqual([]);
    send("a", "reset");
    expect(log).toHaveLength(1);
  });

  test("other limits hold from the next failure on, and who is out stays out as long as it was told", () => {
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

  test("a reload that changes something else forgets nothing", () => {
    const { send, reload, log } = outlierLab();
    send("a", "reset", 4);
    reload({}, undefined, { balance: "round-robin" });
    send("a", "reset");
    expect(log).toHaveLength(1);
  });

  test("who leaves while out takes the timer along, and its successor begins with a clean sheet", () => {
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

  test.each([200, 500])("who leaves while its trial is under way (%d) is neither readmitted nor ejected", (status) => {
    const { begin, end, pool, clock, log } = onTrial();
    const trial = begin("a");
    pool.remove("a");
    end(trial, status);
    expect(log).toEqual([]);
    expect(clock.pending).toBe(0);
    expect(pool.upstreams.map(({ id }) => id)).toEqual(["b"]);
  });

  test("failing requests of one that has left start no timer", () => {
    const { begin, end, pool, clock, log } = outlierLab();
    const attempts = Array.from({ length: 10 }, () => begin("a"));
    pool.remove("a");
    for (const attempt of attempts) end(attempt, "reset");
    expect(log).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test("a member that stays out over a reload of the members is let back in its time", () => {
    const { send, reload, clock, pool, log } = outlierLab();
    send("a", "reset", 5);
    reload({}, { a: 5, b: 1, e: 1 });
    clock.advance(30_000);
    expect(memberOf(pool, "a")).toMatchObject({ onTrial: true, weight: 5 });
    send("a", "success");
    expect(log.at(-1)).toBe("30s a in: trial");
  });

  test("stopping the pool leaves nobody a timer, and sends no traffic to who is out", () => {
    const { send, atWork, pool, clock, ids, log } = outlierLab();
    send("a", "reset", 5);
    atWork.stop();
    expect(clock.pending).toBe(0);
    expect(ids(pool.candidates)).toBe("b,c,d");
    expect(log).toHaveLength(1);
  });

  test("an exchange of all members at once loses nobody who waits", () => {
    const { begin, pool, reload } = outlierLab({}, { members: { a: { maxInFlight: 1 } } });
    const log: string[] = [];
    begin("a");
    lineUp(pool, log, "x");
    reload({}, { b: 1 });
    expect(log).toEqual(["x: b"]);
  });
});
