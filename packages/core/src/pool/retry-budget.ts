import { limits } from "../config/defaults.ts";
import type { Clock } from "../runtime/clock.ts";

const slots = 10;

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

  readonly #clock: Clock;
  readonly #requests = new Array<number>(slots).fill(0);
  readonly #retries = new Array<number>(slots).fill(0);
  #slot = 0;

  constructor(options: { readonly budget: number; readonly minRetriesPerSecond: number }, clock: Clock) {
    this.options = options;
    this.#clock = clock;
  }

  /** Counts an original request. */
  deposit(): void {
    this.#turn();
    (this.#requests[this.#slot % slots] as number)++;
  }

  /** Takes room for one retry; false when there is none. */
  tryWithdraw(): boolean {
    this.#turn();
    const { budget, minRetriesPerSecond } = this.options;
    const allowed = budget * total(this.#requests) + (minRetriesPerSecond * limits.retryBudgetWindowMs) / 1_000;
    if (total(this.#retries) + 1 > allowed) {
      this.exhausted++;
      return false;
    }
    (this.#retries[this.#slot % slots] as number)++;
    return true;
  }

  /** Clears the slots that time has passed over. */
  #turn(): void {
    const now = Math.floor(this.#clock.now() / (limits.retryBudgetWindowMs / slots));
    const passed = Math.min(now - this.#slot, slots);
    for (let step = 0; step < passed; step++) {
      this.#requests[(now - step) % slots] = 0;
      this.#retries[(now - step) % slots] = 0;
    }
    this.#slot = now;
  }
}

function total(counts: readonly number[]): number {
  let sum = 0;
  for (const count of counts) sum += count;
  return sum;
}
