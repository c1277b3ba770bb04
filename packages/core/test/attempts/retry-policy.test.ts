import { describe, expect, test } from "vitest";
import {
  decideAfterFailure,
  decideAfterStatus,
  type RetryDecision,
  type RetryFacts,
  retryPauseMs,
} from "../../src/attempts/retry-policy.ts";
import { limits } from "../../src/config/defaults.ts";
import type { RetryOptions } from "../../src/config/options.ts";
import { resolvePool } from "../../src/config/resolve.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { RetryBudget } from "../../src/pool/limits/retry-budget.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

/** The differences to a GET without a body, default options and an upstream left in the pool. */
interface Case {
  readonly retry?: RetryOptions;
  readonly method?: string;
  readonly used?: number;
  readonly stale?: boolean;
  readonly upstreamLeft?: boolean;
  readonly replayable?: boolean;
  readonly reused?: boolean;
  readonly sent?: boolean;
  readonly pause?: number;
  readonly left?: number;
}

function factsOf({ retry = {}, method = "GET", used = 0, stale = false, upstreamLeft = true, ...rest }: Case) {
  const { replayable = true, pause = 100, left = Infinity } = rest;
  const options = resolvePool({ retry }).retry;
  const budget = new RetryBudget(options, new VirtualClock());
  const facts: RetryFacts = {
    options,
    budget,
    method,
    retriesUsed: used,
    staleRetried: stale,
    upstreamLeft,
    replayable,
    pauseMs: pause,
    leftMs: left,
  };
  return facts;
}

function afterFailure(code: ErrorCode, facts: Case): RetryDecision {
  const { reused = false, sent = true } = facts;
  return decideAfterFailure({ code, cause: undefined, reused, sent }, factsOf(facts));
}

describe("a failure before anything was sent", () => {
  const codes = ["connect_refused", "connect_failed", "connect_timeout", "dns_failed", "tls_failed"] as const;

  test.each(codes)("%s moves on with any method and body, outside attempts and budget", (code) => {
    const spent: Case = { method: "POST", used: 10, retry: { attempts: 0, budget: 0, minRetriesPerSecond: 0 } };
    expect(afterFailure(code, { ...spent, sent: false })).toBe("move");
    expect(afterFailure(code, { ...spent, sent: false, replayable: false })).toBe("move");
    // Moving on has no pause, so the deadline does not matter.
    expect(afterFailure(code, { ...spent, sent: false, left: 1 })).toBe("move");
  });

  test.each(codes)("%s gives up when `retry.on` does not list it", (code) => {
    expect(afterFailure(code, { sent: false, retry: { on: ["reset"] } })).toBe("give-up");
  });

  test("a connection refused by our own limit moves on to another upstream", () => {
    expect(afterFailure("queue_timeout", { method: "POST", sent: false })).toBe("move");
  });

  test("a lack of file descriptors gives up, since another upstream would not help", () => {
    expect(afterFailure("no_file_descriptors", { sent: false })).toBe("give-up");
  });
});

describe("a failure after something may have been sent", () => {
  test.each<[ErrorCode, Case, RetryDecision]>([
    ["reset", {}, "retry"],
    ["reset", { method: "PUT" }, "retry"],
    ["reset", { method: "POST" }, "give-up"],
    ["reset", { method: "PATCH" }, "give-up"],
    ["reset", { method: "POST", retry: { methods: ["POST"] } }, "retry"],
    ["reset", { method: "GET", retry: { methods: ["POST"] } }, "give-up"],
    ["reset", { replayable: false }, "give-up"],
    ["reset", { pause: 99, left: 100 }, "retry"],
    ["reset", { pause: 100, left: 100 }, "give-up"],
    ["reset", { upstreamLeft: false }, "give-up"],
    ["reset", { used: 2 }, "retry"],
    ["reset", { used: 3 }, "give-up"],
    ["reset", { used: 1, retry: { attempts: 1 } }, "give-up"],
    ["reset", { used: 1, retry: { attempts: 2 } }, "retry"],
    // Provably not processed, as with REFUSED_STREAM over HTTP/2.
    ["reset", { sent: false, method: "POST" }, "retry"],
    ["reset", { sent: false, method: "POST", replayable: false }, "give-up"],
    ["reset", { sent: false, method: "POST", used: 3 }, "give-up"],
    ["invalid_response", { sent: false, method: "POST" }, "give-up"],
    ["reset", { retry: { attempts: 0 } }, "give-up"],
    ["reset", { retry: { on: ["connect-failure"] } }, "give-up"],
    ["reset", { retry: { budget: 0, minRetriesPerSecond: 0 } }, "give-up"],
    ["response_truncated", {}, "retry"],
    ["response_truncated", { method: "POST" }, "give-up"],
    ["headers_timeout", {}, "give-up"],
    ["headers_timeout", { retry: { on: ["timeout"] } }, "retry"],
    ["headers_timeout", { method: "POST", retry: { on: ["timeout"] } }, "give-up"],
    ["invalid_response", {}, "give-up"],
    ["response_headers_too_large", {}, "give-up"],
    ["upgrade_failed", {}, "give-up"],
    ["response_idle_timeout", {}, "give-up"],
    ["total_timeout", {}, "give-up"],
  ])("%s with %j: %s", (code, facts, decision) => {
    expect(afterFailure(code, facts)).toBe(decision);
  });
});

describe("a reset on a reused connection", () => {
  test.each<[Case, RetryDecision]>([
    [{}, "again"],
    // A race with keep-alive: not a failure, and free of charge.
    [{ used: 1 }, "again"],
    [{ upstreamLeft: false }, "again"],
    [{ retry: { attempts: 0, on: [], budget: 0, minRetriesPerSecond: 0 } }, "again"],
    // Only once, and only if the request may be sent twice and its body can be replayed.
    [{ stale: true }, "retry"],
    [{ stale: true, upstreamLeft: false }, "give-up"],
    [{ method: "POST" }, "give-up"],
    // As with a GOAWAY over HTTP/2 that names an earlier stream as the last one.
    [{ method: "POST", sent: false }, "again"],
    [{ replayable: false }, "give-up"],
  ])("with %j: %s", (facts, decision) => {
    expect(afterFailure("reset", { ...facts, reused: true })).toBe(decision);
  });

  test("an invalid response on a reused connection is not stale", () => {
    expect(afterFailure("invalid_response", { reused: true })).toBe("give-up");
  });
});

describe("a status", () => {
  const on = { on: ["503", "429"] } as const;

  test.each<[number, Case, RetryDecision]>([
    [503, {}, "give-up"],
    [503, { retry: on }, "retry"],
    [429, { retry: on }, "retry"],
    [502, { retry: on }, "give-up"],
    [200, { retry: on }, "give-up"],
    [503, { retry: on, method: "POST" }, "give-up"],
    [503, { retry: on, replayable: false }, "give-up"],
    [503, { retry: on, upstreamLeft: false }, "give-up"],
    [503, { retry: on, used: 2 }, "retry"],
    [503, { retry: on, used: 3 }, "give-up"],
    [503, { retry: on, pause: 100, left: 99 }, "give-up"],
    [503, { retry: { ...on, budget: 0, minRetriesPerSecond: 0 } }, "give-up"],
  ])("%s with %j: %s", (status, facts, decision) => {
    expect(decideAfterStatus(status, factsOf(facts))).toBe(decision);
  });
});

describe("the budget", () => {
  test("is withdrawn from only when all other conditions hold", () => {
    const hopeless: Case[] = [
      { used: 3 },
      { upstreamLeft: false },
      { method: "POST" },
      { replayable: false },
      { pause: 100, left: 99 },
    ];
    for (const facts of hopeless.map((each) => factsOf({ retry: { budget: 0, minRetriesPerSecond: 0 }, ...each }))) {
      decideAfterFailure({ code: "reset", cause: undefined, reused: false, sent: true }, facts);
      expect(facts.budget.exhausted).toBe(0);
    }
  });

  test("is charged once for a retry", () => {
    const facts = factsOf({ retry: { budget: 0, minRetriesPerSecond: 1 } });
    const failure = { code: "reset", cause: undefined, reused: false, sent: true } as const;
    const decisions = Array.from({ length: 12 }, () => decideAfterFailure(failure, facts));
    expect(decisions.filter((decision) => decision === "retry")).toHaveLength(10);
    expect(facts.budget.exhausted).toBe(2);
  });
});

test("the pause before a retry lies between its bounds", () => {
  expect(retryPauseMs(() => 0)).toBe(limits.retryBackoffMinMs);
  expect(retryPauseMs(() => 0.999_999)).toBeCloseTo(limits.retryBackoffMaxMs, 2);
  expect(retryPauseMs(() => 0.5)).toBe((limits.retryBackoffMinMs + limits.retryBackoffMaxMs) / 2);
});
