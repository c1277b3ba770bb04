import { limits } from "../config/defaults.ts";
import type { Clock } from "../runtime/clock.ts";
import { SlidingSum } from "../runtime/sliding-sum.ts";

/**
 * Bounds the share of retries in the traffic, so that retries do not overload a failing pool.
 *
 * Finagle's retry budget over a sliding window of ten slots: a retry is allowed while the retries of the window stay below
 * `budget` of its requests plus `minRetriesPerSecond`. Connect failures do not count, since they reach no upstream.
 */
export class RetryBudget {
  /** A reload replaces the object. */
  options: { readonly budget: number; readonly minRetriesPerSecond: number };
  exhausted = 0;
  readonly #requests: SlidingSum;
  readonly #retries: SlidingSum;

  constructor(options: { readonly budget: number; readonly minRetriesPerSecond: number }, clock: Clock) {
    this.options = options;
    this.#requests = new SlidingSum(limits.retryBudgetWindowMs, clock);
    this.#retries = new SlidingSum(limits.retryBudgetWindowMs, clock);
  }

  /** Counts an original request. */
  deposit(): void {
    this.#requests.add(1);
  }

  /** Withdraws one retry. False when the budget is exhausted. */
  tryWithdraw(): boolean {
    const { budget, minRetriesPerSecond } = this.options;
    const allowed = budget * this.#requests.total + (minRetriesPerSecond * limits.retryBudgetWindowMs) / 1_000;
    if (this.#retries.total + 1 > allowed) {
      this.exhausted++;
      return false;
    }
    this.#retries.add(1);
    return true;
  }
}
