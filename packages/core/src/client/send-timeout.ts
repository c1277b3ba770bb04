import { bindContext } from "../runtime/async-context.ts";
import type { Clock } from "../runtime/clock.ts";
import { type Ticker, type Timed, tickerOf } from "../runtime/ticker.ts";

/** Reports a client that does not read a response for too long. Created once a client has been slow. */
export class SendTimeout implements Timed {
  deadline: number = Infinity;
  readonly onDeadline: () => void;
  readonly #clock: Clock;
  readonly #ticker: Ticker;
  readonly #timeoutMs: number;

  /** `timeoutMs` 0 is no limit. */
  constructor(clock: Clock, timeoutMs: number, onStalled: () => void) {
    this.#clock = clock;
    this.#ticker = tickerOf(clock);
    this.#timeoutMs = timeoutMs;
    this.onDeadline = bindContext(onStalled);
    if (timeoutMs > 0) this.#ticker.watch(this);
  }

  /** Data waits for the client. */
  wait(): void {
    if (this.#timeoutMs > 0) this.deadline = this.#clock.now() + this.#timeoutMs;
  }

  /** The client has taken the data. */
  move(): void {
    this.deadline = Infinity;
  }

  release(): void {
    this.#ticker.forget(this);
  }
}
