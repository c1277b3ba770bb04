import { limits } from "../../config/defaults.ts";
import type { Clock } from "../../runtime/clock.ts";
import { SlidingSum } from "../../runtime/sliding-sum.ts";

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
  readonly #clock: Clock;
  readonly #requests: SlidingSum;
  readonly #retries: SlidingSum;
  /** Of a pool that shares its limits with other processes. */
  #shared: { share: number; readonly used: SlidingSum; readonly onRefused: () => void } | undefined;

  constructor(options: { readonly budget: number; readonly minRetriesPerSecond: number }, clock: Clock) {
    this.options = options;
    this.#clock = clock;
    this.#requests = new SlidingSum(limits.retryBudgetWindowMs, clock);
    this.#retries = new SlidingSum(limits.retryBudgetWindowMs, clock);
  }

  /** The part that does not depend on traffic, in retries per window. */
  get fixed(): number {
    return (this.options.minRetriesPerSecond * limits.retryBudgetWindowMs) / 1_000;
  }

  /** The retries of the window that requests did not cover and so used a share. */
  get fixedUsed(): number {
    return this.#shared?.used.total ?? 0;
  }

  /**
   * Sets this process's share of `fixed`. A retry that the requests of the window do not cover uses one of it, until it leaves
   * the window. `onRefused` is called when a retry is refused.
   */
  setShare(share: number, onRefused: () => void): void {
    this.#shared ??= { share, used: new SlidingSum(limits.retryBudgetWindowMs, this.#clock), onRefused };
    this.#shared.share = share;
  }

  /** Counts an original request. */
  deposit(): void {
    this.#requests.add(1);
  }

  /** Withdraws one retry. False when the budget is exhausted. */
  tryWithdraw(): boolean {
    const covered = this.options.budget * this.#requests.total;
    const retries = this.#retries.total + 1;
    if (retries > covered + (this.#shared?.share ?? this.fixed) || !this.#useShare(retries > covered)) {
      this.exhausted++;
      this.#shared?.onRefused();
      return false;
    }
    this.#retries.add(1);
    return true;
  }

  /** False when the share is used up. */
  #useShare(uncovered: boolean): boolean {
    if (this.#shared === undefined || !uncovered) return true;
    const { share, used } = this.#shared;
    if (used.total + 1 > share) return false;
    used.add(1);
    return true;
  }
}
