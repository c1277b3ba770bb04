import { afterInput, type Clock, type Timer } from "./clock.ts";

/** A timer this late shows that the event loop stood still. */
const lateMs = 20;

/**
 * A timeout for something that has to arrive from outside. It ends only after what has arrived was read, and if the event
 * loop stood still, it lasts once longer by as much as it came late.
 *
 * For timeouts that are started a few at a time. What is started for every request watches a `Ticker`.
 */
export class InputTimeout {
  readonly #clock: Clock;
  /** Undefined once it is over. V8 may keep this object for long: see roster.ts. It holds nothing then. */
  #onTimeout: (() => void) | undefined;
  readonly #ms: number;
  readonly #mayExtend: (() => boolean) | undefined;
  #dueAt = 0;
  #timer: Timer;
  #extended = false;

  /** `mayExtend` is asked when the timer comes late: whether more time makes a difference. */
  constructor(clock: Clock, onTimeout: () => void, ms: number, mayExtend?: () => boolean) {
    this.#clock = clock;
    this.#onTimeout = onTimeout;
    this.#ms = ms;
    this.#mayExtend = mayExtend;
    this.#start(ms);
  }

  clear(): void {
    this.#onTimeout = undefined;
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #start(ms: number): void {
    this.#dueAt = this.#clock.now() + ms;
    this.#timer = this.#clock.setTimeout(() => this.#onDue(), ms);
  }

  #onDue(): void {
    const late = this.#clock.now() - this.#dueAt;
    if (late > lateMs && !this.#extended && this.#mayExtend?.() !== false) {
      this.#extended = true;
      return this.#start(Math.min(late, this.#ms));
    }
    afterInput(this.#clock, () => {
      const onTimeout = this.#onTimeout;
      this.#onTimeout = undefined;
      onTimeout?.();
    });
  }
}
