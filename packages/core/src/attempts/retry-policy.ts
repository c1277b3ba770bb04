import { limits } from "../config/defaults.ts";
import type { ResolvedRetry } from "../config/resolved.ts";
import { type ErrorCode, errorKind } from "../errors.ts";
import type { RetryBudget } from "../pool/limits/retry-budget.ts";
import type { Random } from "../runtime/random.ts";
import type { ExchangeFailure } from "../transport/transport.ts";

/** The facts that a retry decision depends on. */
export interface RetryFacts {
  readonly options: ResolvedRetry;
  readonly budget: RetryBudget;
  readonly method: string;
  /** Retries so far that count against `attempts`. */
  readonly retriesUsed: number;
  /** The one retry after a stale connection has been used. */
  readonly staleRetried: boolean;
  /** The pool has a usable upstream, tried before or not. */
  readonly upstreamLeft: boolean;
  /** The body can be sent again from its start. */
  readonly replayable: boolean;
  /** The pause before a retry. */
  readonly pauseMs: number;
  /** Time until the deadline of the whole exchange; Infinity without a limit. */
  readonly leftMs: number;
}

/**
 * The next step after a failed attempt:
 * - `move`: to another upstream at once, without counting as a retry.
 * - `again`: on the same upstream with a fresh connection.
 * - `retry`: after a pause; it counts against `attempts` and the budget.
 * - `give-up`.
 */
export type RetryDecision = "move" | "again" | "retry" | "give-up";

/**
 * Decides whether a failed attempt is followed by another one. The caller ensures that nothing was written to the client and
 * that the client is still connected.
 *
 * A connect failure has reached no upstream: the request moves on with any method, outside `attempts` and the budget. A reset
 * on a reused connection is a race with the upstream's keep-alive timeout, not a failure. Every other retry counts against
 * `attempts` and the budget, and must begin before the deadline. A request that the upstream has provably not processed may
 * be retried with any method.
 */
export function decideAfterFailure(failure: ExchangeFailure, facts: RetryFacts): RetryDecision {
  const { options } = facts;
  const { sent, code } = failure;
  if (!sent && errorKind(code).retryable === "always") return options.onConnectFailure ? "move" : "give-up";
  if (!isRepeatable(facts, sent)) return "give-up";
  if (isStale(failure) && !facts.staleRetried) return "again";
  return conditionAllows(code, options) ? chargedRetry(facts) : "give-up";
}

/** Whether the upstream had closed the reused connection, which is not its failure, whether or not a retry is allowed. */
export function isStale({ code, reused }: ExchangeFailure): boolean {
  return code === "reset" && reused;
}

/** Decides whether a response with this status is discarded and the request retried. */
export function decideAfterStatus(status: number, facts: RetryFacts): RetryDecision {
  const { options } = facts;
  return options.onStatus.has(status) && isRepeatable(facts, true) ? chargedRetry(facts) : "give-up";
}

/**
 * Decides whether a gRPC call is retried that the upstream has ended with UNAVAILABLE before any message. All calls are POSTs,
 * so the method says nothing about them: the status does, which asks to retry just the failing call.
 */
export function decideAfterUnavailable(facts: RetryFacts): RetryDecision {
  return facts.options.onGrpcUnavailable && facts.replayable ? chargedRetry(facts) : "give-up";
}

/** Full jitter: requests that failed at the same time do not retry at the same time. */
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

/** Withdraws from the budget last, once all other conditions hold. */
function chargedRetry(facts: RetryFacts): RetryDecision {
  const { retriesUsed, options, upstreamLeft, pauseMs, leftMs } = facts;
  const possible = retriesUsed < options.attempts && upstreamLeft && pauseMs < leftMs;
  return possible && facts.budget.tryWithdraw() ? "retry" : "give-up";
}
