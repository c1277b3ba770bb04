import { limits } from "../config/defaults.ts";
import type { ResolvedRetry } from "../config/resolved.ts";
import { type ErrorCode, errorKind } from "../errors.ts";
import type { RetryBudget } from "../pool/retry-budget.ts";
import type { Random } from "../runtime/random.ts";
import type { ExchangeFailure } from "../transport/transport.ts";

/** What is known when an attempt has brought no response that is good enough. */
export interface RetryFacts {
  readonly options: ResolvedRetry;
  readonly budget: RetryBudget;
  readonly method: string;
  /** Retries made that count against `attempts`. */
  readonly retriesUsed: number;
  /** A retry of a stale connection has been made; there is one at most. */
  readonly staleRetried: boolean;
  /** The pool has an upstream that may be used, tried before or not. */
  readonly upstreamLeft: boolean;
  /** The body can be sent again from its start. */
  readonly replayable: boolean;
  /** How long a retry would wait before it begins. */
  readonly pauseMs: number;
  /** What is left of the time for the whole exchange; Infinity without a limit. */
  readonly leftMs: number;
}

/**
 * What to do after a failed attempt: `move` on to another upstream at once and free of charge, `again` on the same one
 * with a fresh connection, `retry` after a pause, or `give-up`.
 */
export type RetryDecision = "move" | "again" | "retry" | "give-up";

/**
 * Decides about another attempt. The caller has made sure that nothing was written to the client and that it is
 * still there.
 *
 * A connect failure has reached no upstream: it moves on whatever the method, outside `attempts` and the budget. A reset on
 * a reused connection is a race with the upstream's keep-alive and no failure. All else costs an attempt and budget, and is
 * not begun when its pause would last beyond the deadline. What the upstream has provably not processed may be retried
 * whatever the method.
 */
export function decideAfterFailure(failure: ExchangeFailure, facts: RetryFacts): RetryDecision {
  const { options } = facts;
  const { sent, code } = failure;
  if (!sent && errorKind(code).retryable === "always") return options.onConnectFailure ? "move" : "give-up";
  if (!isRepeatable(facts, sent)) return "give-up";
  if (isStale(failure) && !facts.staleRetried) return "again";
  return conditionAllows(code, options) ? chargedRetry(facts) : "give-up";
}

/**
 * Whether a failure is a reset on a connection that the upstream had closed in the meantime, which is no failure of the
 * upstream, whether or not the request may be sent again.
 */
export function isStale({ code, reused }: ExchangeFailure): boolean {
  return code === "reset" && reused;
}

/** Decides whether a response with this status is discarded for another attempt instead of being passed on. */
export function decideAfterStatus(status: number, facts: RetryFacts): RetryDecision {
  const { options } = facts;
  return options.onStatus.has(status) && isRepeatable(facts, true) ? chargedRetry(facts) : "give-up";
}

/** Full jitter, so that requests that failed together do not return together. */
export function retryPauseMs(random: Random): number {
  return limits.retryBackoffMinMs + random() * (limits.retryBackoffMaxMs - limits.retryBackoffMinMs);
}

function conditionAllows(code: ErrorCode, options: ResolvedRetry): boolean {
  if (code === "headers_timeout") return options.onTimeout;
  return errorKind(code).retryable === "idempotent" && options.onReset;
}

function isRepeatable({ options, method, replayable }: RetryFacts, sent: boolean): boolean {
  return replayable && (!sent || options.methods.has(method));
}

/** The budget comes last: room is only taken when the retry is certain. */
function chargedRetry(facts: RetryFacts): RetryDecision {
  const { retriesUsed, options, upstreamLeft, pauseMs, leftMs } = facts;
  const possible = retriesUsed < options.attempts && upstreamLeft && pauseMs < leftMs;
  return possible && facts.budget.tryWithdraw() ? "retry" : "give-up";
}
