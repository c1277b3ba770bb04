import { limits } from "../config/defaults.ts";
import type { Clock } from "../runtime/clock.ts";
import { SlidingSum } from "../runtime/sliding-sum.ts";

/**
 * Keeps retries a bounded share of the traffic, so that a failing pool is not buried under second tries.
 *
 * Finagle's retry budget, counted over a sliding window of ten slots: a retry is allowed while the retries of the
 * window stay below `budget` of its requests plus `minRetriesPerSecond`. Connect failures never come here, since
 * they reach nobody.
 */
export class RetryBudget {
  /** Replaced whole by a reload. */
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

  /** Takes room for one retry; false when there is none. */
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
