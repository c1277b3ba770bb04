import { limits } from "../config/defaults.ts";
import type { Clock, Timer } from "../runtime/clock.ts";
import { SlidingSum } from "../runtime/sliding-sum.ts";

/** What one upstream has failed lately, and what has come of it. */
export class FailureRecord {
  /** Failures since the last success. */
  inARow = 0;
  /** When it was last ejected or readmitted, on the monotonic clock. */
  changedAt: number = -Infinity;
  /** Every failure that led to the ejection was one of the connection or the protocol, none a status. */
  onlyTransport = true;
  /** Ends the ejection. */
  timer: Timer;
  readonly #clock: Clock;
  #requests: SlidingSum;
  #failures: SlidingSum;
  #ejections = 0;

  constructor(windowMs: number, clock: Clock) {
    this.#clock = clock;
    this.#requests = new SlidingSum(windowMs, clock);
    this.#failures = new SlidingSum(windowMs, clock);
  }

  /** Within the window. */
  get requests(): number {
    return this.#requests.total;
  }

  get failures(): number {
    return this.#failures.total;
  }

  count(failed: boolean, transport: boolean): void {
    this.#requests.add(1);
    if (!failed) {
      this.inARow = 0;
      this.onlyTransport = this.failures === 0;
      return;
    }
    if (this.inARow === 0 && this.failures === 0) this.onlyTransport = true;
    this.onlyTransport &&= transport;
    this.inARow++;
    this.#failures.add(1);
  }

  /** Counts an ejection, and returns how many there have been lately: good behaviour since the last one takes some off. */
  ejectedAgain(now: number): number {
    const forgiven = Math.floor((now - this.changedAt) / limits.ejectionForgivenessMs);
    this.#ejections = Math.max(0, this.#ejections - Math.max(0, forgiven)) + 1;
    this.#startAnew(now);
    return this.#ejections;
  }

  readmitted(now: number): void {
    this.#startAnew(now);
  }

  /** Looks back on another time from now on. */
  resize(windowMs: number): void {
    this.#requests = new SlidingSum(windowMs, this.#clock);
    this.#failures = new SlidingSum(windowMs, this.#clock);
  }

  #startAnew(now: number): void {
    this.changedAt = now;
    this.inARow = 0;
    this.#requests.clear();
    this.#failures.clear();
  }
}
