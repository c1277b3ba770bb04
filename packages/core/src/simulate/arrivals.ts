import type { Clock, Timer } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import type { ResolvedGenerator, ResolvedRequest } from "./trace/resolved-trace.ts";

/** Emits requests at their times. Uses one timer for any number of requests. */
export interface Arrivals {
  /** The time of the last request, or its upper bound. */
  readonly endsAt: number;
  start(): void;
  /** Sets the requests per second. Does nothing for listed requests. */
  setRate(rate: number): void;
}

type OnArrival = (request: ResolvedRequest) => void;

/** Requests at the times listed in the trace. */
export class ListedArrivals implements Arrivals {
  readonly #requests: readonly ResolvedRequest[];
  readonly #clock: Clock;
  readonly #onArrival: OnArrival;
  #next = 0;

  constructor(requests: readonly ResolvedRequest[], clock: Clock, onArrival: OnArrival) {
    this.#requests = [...requests].sort((a, b) => a.atMs - b.atMs);
    this.#clock = clock;
    this.#onArrival = onArrival;
  }

  get endsAt(): number {
    return this.#requests.at(-1)?.atMs ?? 0;
  }

  start(): void {
    const request = this.#requests[this.#next++];
    if (request === undefined) return;
    const arrive = () => {
      this.#onArrival(request);
      this.start();
    };
    this.#clock.setTimeout(arrive, request.atMs - this.#clock.now());
  }

  setRate(): void {}
}

/**
 * Requests of a Poisson process. The time to the next request is exponential and independent of the last one, so a change of
 * rate simply draws it again.
 */
export class GeneratedArrivals implements Arrivals {
  readonly #generator: ResolvedGenerator;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #onArrival: OnArrival;
  #rate: number;
  #timer: Timer;

  constructor(generator: ResolvedGenerator, clock: Clock, random: Random, onArrival: OnArrival) {
    this.#generator = generator;
    this.#clock = clock;
    this.#random = random;
    this.#onArrival = onArrival;
    this.#rate = generator.rate;
  }

  get endsAt(): number {
    return this.#generator.durationMs;
  }

  start(): void {
    const delayMs = (-Math.log(1 - this.#random()) * 1_000) / this.#rate;
    if (this.#clock.now() + delayMs <= this.endsAt) this.#timer = this.#clock.setTimeout(() => this.#arrive(), delayMs);
  }

  setRate(rate: number): void {
    this.#clock.clearTimeout(this.#timer);
    this.#rate = rate;
    if (rate > 0) this.start();
  }

  #arrive(): void {
    const { keys, method, url } = this.#generator;
    const number = Math.floor(this.#random() * keys) + 1;
    this.#onArrival({ atMs: this.#clock.now(), key: `key-${number}`, method, url, client: undefined });
    this.start();
  }
}
