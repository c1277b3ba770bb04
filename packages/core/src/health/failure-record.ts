import { limits } from "../config/defaults.ts";
import type { EjectionReason } from "../events.ts";
import type { Clock } from "../runtime/clock.ts";
import { SlidingSum } from "../runtime/sliding-sum.ts";

/** The recent failures of one upstream, and its ejections. */
export class FailureRecord {
  /** Attempts started before this time do not count: the last ejection or readmission. On the monotonic clock. */
  since: number = -Infinity;
  /** Every failure that led to the last ejection was one of the connection or the protocol, and none a status. */
  onlyTransport = false;
  readonly #clock: Clock;
  #windowMs = 0;
  #requests: SlidingSum | undefined;
  #failures: SlidingSum | undefined;
  #statuses: SlidingSum | undefined;
  #consecutiveFailures = 0;
  #consecutiveStatuses = 0;
  /** The number of ejections, reduced by one for each `ejectionForgivenessMs` since the last readmission. */
  #ejections = 0;
  #readmittedAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#readmittedAt = clock.now();
  }

  /** The failures since the last success. */
  get consecutiveFailures(): number {
    return this.#consecutiveFailures;
  }

  /** Within the window, as are `failures`. */
  get requests(): number {
    return this.#requests?.total ?? 0;
  }

  get failures(): number {
    return this.#failures?.total ?? 0;
  }

  /** Sets the length of the window. A different length clears the counts within it. */
  setWindow(windowMs: number): void {
    if (this.#windowMs === windowMs) return;
    this.#windowMs = windowMs;
    this.#requests = new SlidingSum(windowMs, this.#clock);
    this.#failures = new SlidingSum(windowMs, this.#clock);
    this.#statuses = new SlidingSum(windowMs, this.#clock);
  }

  /** Counts an attempt. `failure` is undefined for a success. */
  count(failure: "transport" | "status" | undefined): void {
    this.#requests?.add(1);
    if (failure === undefined) {
      this.#consecutiveFailures = 0;
      this.#consecutiveStatuses = 0;
      return;
    }
    this.#consecutiveFailures++;
    this.#failures?.add(1);
    if (failure === "transport") return;
    this.#consecutiveStatuses++;
    this.#statuses?.add(1);
  }

  /**
   * Counts an ejection and returns the number of recent ejections, at most `most`. The limit bounds the time after which an
   * upstream with many ejections is treated as one without.
   */
  recordEjection(reason: EjectionReason, failure: "transport" | "status", most: number): number {
    const now = this.#clock.now();
    const known = Math.min(this.#ejections, most);
    // The time of an ejection reduces nothing, so there is nothing to subtract after a failed trial.
    const forgiven =
      reason === "trial-failed" ? 0 : Math.floor((now - this.#readmittedAt) / limits.ejectionForgivenessMs);
    this.#ejections = Math.min(most, Math.max(0, known - forgiven) + 1);
    this.onlyTransport = failure === "transport" && this.#statusFailuresFor(reason) === 0;
    this.#reset(now);
    return this.#ejections;
  }

  /** `since` is the start of the attempt that has succeeded. */
  recordReadmission(since: number): void {
    this.#readmittedAt = this.#clock.now();
    this.#reset(since);
  }

  #statusFailuresFor(reason: EjectionReason): number {
    if (reason === "failure-ratio") return this.#statuses?.total ?? 0;
    return reason === "consecutive-failures" ? this.#consecutiveStatuses : 0;
  }

  #reset(since: number): void {
    this.since = since;
    this.#consecutiveFailures = 0;
    this.#consecutiveStatuses = 0;
    this.#requests?.clear();
    this.#failures?.clear();
    this.#statuses?.clear();
  }
}
