import { afterInput, type Clock, type Timer } from "./clock.ts";

/** A timer that is later than this indicates an event loop stall. */
const lateMs = 20;

/**
 * A timeout for input from the network. It expires only after the event loop has read all input that has arrived. After an
 * event loop stall it is extended once, by the length of the stall, at most by its own length.
 *
 * For rare timeouts. Timeouts of every request use the shared `Ticker` instead.
 */
export class InputTimeout {
  readonly #clock: Clock;
  /** Undefined after the end: V8 can retain this object for long (see indexed-set.ts), and it must not retain the callback. */
  #onTimeout: (() => void) | undefined;
  readonly #ms: number;
  readonly #mayExtend: (() => boolean) | undefined;
  #dueAt = 0;
  #timer: Timer;
  #extended = false;

  /** `mayExtend` is called when the timer is late. When it returns false, the timeout is not extended. */
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
