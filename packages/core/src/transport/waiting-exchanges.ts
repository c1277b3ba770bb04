import type { ErrorCode } from "../errors.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Ticker, Timed } from "../runtime/ticker.ts";
import type { ExchangeFailure } from "./transport.ts";

interface Unsent {
  fail(failure: ExchangeFailure): void;
}

/** Exchanges that wait for a connection, in the order of their arrival, each for a limited time. */
export class WaitingExchanges<E extends Unsent> {
  readonly #waiting = new Map<E, Timed>();
  readonly #clock: Clock;
  readonly #ticker: Ticker;
  readonly #timeoutMs: number;
  readonly #onTimeout: (exchange: E) => void;

  /** `onTimeout` is called with an exchange that has waited for `timeoutMs`, and has to end its wait. */
  constructor(clock: Clock, ticker: Ticker, timeoutMs: number, onTimeout: (exchange: E) => void) {
    this.#clock = clock;
    this.#ticker = ticker;
    this.#timeoutMs = timeoutMs;
    this.#onTimeout = onTimeout;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** In order. Exchanges may enter and leave meanwhile. */
  [Symbol.iterator](): IterableIterator<E> {
    return this.#waiting.keys();
  }

  enter(exchange: E): void {
    const timed: Timed = {
      deadline: this.#clock.now() + this.#timeoutMs,
      onDeadline: () => this.#onTimeout(exchange),
    };
    this.#waiting.set(exchange, timed);
    this.#ticker.watch(timed);
  }

  /** A function of its own, so that it can be passed on. Does nothing for an exchange that does not wait. */
  readonly leave = (exchange: E): void => {
    const timed = this.#waiting.get(exchange);
    if (timed === undefined) return;
    this.#waiting.delete(exchange);
    this.#ticker.forget(timed);
  };

  /** Ends the wait of an exchange with a failure. */
  refuse(exchange: E, code: ErrorCode, cause?: unknown): void {
    this.leave(exchange);
    failUnsent(exchange, code, cause);
  }
}

/** Fails an exchange of which nothing has been sent. */
export function failUnsent(exchange: Unsent, code: ErrorCode, cause?: unknown): void {
  exchange.fail({ code, cause, reused: false, sent: false });
}
