import type { Clock } from "../../runtime/clock.ts";
import { type Ticker, type Timed, tickerOf } from "../../runtime/ticker.ts";

/** What a connection waits for. */
export type Awaited = "nothing" | "head" | "next request" | "body" | "half-closed client" | "end of client";

/** The one deadline of a connection. */
export class ConnectionDeadline implements Timed {
  deadline: number = Infinity;
  awaited: Awaited = "nothing";
  readonly #clock: Clock;
  readonly #ticker: Ticker;
  readonly #onPassed: (awaited: Awaited) => void;

  constructor(clock: Clock, onPassed: (awaited: Awaited) => void) {
    this.#clock = clock;
    this.#ticker = tickerOf(clock);
    this.#onPassed = onPassed;
    this.#ticker.watch(this);
  }

  /** Waits for `ms` milliseconds; 0 is no limit. */
  start(awaited: Awaited, ms: number, now: number = this.#clock.now()): void {
    this.awaited = awaited;
    this.deadline = ms > 0 ? now + ms : Infinity;
  }

  stop(): void {
    this.awaited = "nothing";
    this.deadline = Infinity;
  }

  release(): void {
    this.stop();
    this.#ticker.forget(this);
  }

  onDeadline(): void {
    const { awaited } = this;
    this.stop();
    this.#onPassed(awaited);
  }
}
