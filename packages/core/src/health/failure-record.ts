import { limits } from "../config/defaults.ts";
import type { EjectionReason } from "../events.ts";
import type { Clock } from "../runtime/clock.ts";
import { SlidingSum } from "../runtime/sliding-sum.ts";

/** What one upstream has failed lately, and what has come of it. */
export class FailureRecord {
  /** Attempts that began before, say nothing about what has happened since. On the monotonic clock. */
  since: number = -Infinity;
  /** The failures that it is out for are all of the connection or the protocol; none is a status. */
  onlyTransport = false;
  readonly #clock: Clock;
  #windowMs = 0;
  #requests: SlidingSum | undefined;
  #failures: SlidingSum | undefined;
  #statuses: SlidingSum | undefined;
  #inARow = 0;
  #statusesInARow = 0;
  /** How often it was ejected, less what good behaviour has taken off. */
  #ejections = 0;
  /** When it was last readmitted. */
  #goodSince: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#goodSince = clock.now();
  }

  /** Failures since the last success. */
  get inARow(): number {
    return this.#inARow;
  }

  /** Within the window. */
  get requests(): number {
    return this.#requests?.total ?? 0;
  }

  get failures(): number {
    return this.#failures?.total ?? 0;
  }

  /** Looks back on so much time from now on; with another than before it forgets what it has seen. */
  lookBack(windowMs: number): void {
    if (this.#windowMs === windowMs) return;
    this.#windowMs = windowMs;
    this.#requests = new SlidingSum(windowMs, this.#clock);
    this.#failures = new SlidingSum(windowMs, this.#clock);
    this.#statuses = new SlidingSum(windowMs, this.#clock);
  }

  /** `failure` is undefined for a success. */
  count(failure: "transport" | "status" | undefined): void {
    this.#requests?.add(1);
    if (failure === undefined) {
      this.#inARow = 0;
      this.#statusesInARow = 0;
      return;
    }
    this.#inARow++;
    this.#failures?.add(1);
    if (failure === "transport") return;
    this.#statusesInARow++;
    this.#statuses?.add(1);
  }

  /**
   * Counts an ejection, and returns how many there have been lately: `most` at most, so that a long time out is not
   * followed by an even longer time of penance, and one less for each while since the last readmission.
   */
  ejected(reason: EjectionReason, failure: "transport" | "status", most: number): number {
    const now = this.#clock.now();
    const known = Math.min(this.#ejections, most);
    // Being out is no good behaviour: of that there is none between an ejection and the failed trial after it.
    const forgiven = reason === "trial-failed" ? 0 : Math.floor((now - this.#goodSince) / limits.ejectionForgivenessMs);
    this.#ejections = Math.min(most, Math.max(0, known - forgiven) + 1);
    this.onlyTransport = failure === "transport" && this.#statusesBehind(reason) === 0;
    this.#startAnew(now);
    return this.#ejections;
  }

  /** `since` is when the attempt began that has proved it well. */
  readmitted(since: number): void {
    this.#goodSince = this.#clock.now();
    this.#startAnew(since);
  }

  #statusesBehind(reason: EjectionReason): number {
    if (reason === "failure-ratio") return this.#statuses?.total ?? 0;
    return reason === "consecutive-failures" ? this.#statusesInARow : 0;
  }

  #startAnew(since: number): void {
    this.since = since;
    this.#inARow = 0;
    this.#statusesInARow = 0;
    this.#requests?.clear();
    this.#failures?.clear();
    this.#statuses?.clear();
  }
}
