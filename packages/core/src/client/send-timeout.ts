import { bindContext } from "../runtime/async-context.ts";
import type { Clock } from "../runtime/clock.ts";
import { type Ticker, type Timed, tickerOf } from "../runtime/ticker.ts";

/** Notices a client that lets a response lie for too long. Made only for a client that has once been slow. */
export class SendTimeout implements Timed {
  deadline: number = Infinity;
  readonly onDeadline: () => void;
  readonly #clock: Clock;
  readonly #ticker: Ticker;
  readonly #timeoutMs: number;

  /** `timeoutMs` 0 waits for ever. */
  constructor(clock: Clock, timeoutMs: number, onStalled: () => void) {
    this.#clock = clock;
    this.#ticker = tickerOf(clock);
    this.#timeoutMs = timeoutMs;
    this.onDeadline = bindContext(onStalled);
    if (timeoutMs > 0) this.#ticker.watch(this);
  }

  /** Something waits to be taken. */
  wait(): void {
    if (this.#timeoutMs > 0) this.deadline = this.#clock.now() + this.#timeoutMs;
  }

  /** It has been taken. */
  move(): void {
    this.deadline = Infinity;
  }

  release(): void {
    this.#ticker.forget(this);
  }
}
