import type { Clock, Timer } from "../../runtime/clock.ts";

/**
 * The half-open state of an upstream between its ejection and its readmission, as in a circuit breaker: it gets one trial
 * request at a time until one of them decides.
 *
 * A trial request without a response for long, such as a slow upload, makes room for another one. Otherwise it would keep the
 * upstream out for its whole duration. Its result still counts.
 */
export class Trial {
  readonly #clock: Clock;
  readonly #onRoom: () => void;
  /** Trial requests that are not settled, by identity. */
  readonly #requests = new Set<object>();
  /** The trial request that occupies the one place. */
  #awaited: object | undefined;
  #timer: Timer;

  /** `onRoom` is called when a trial request makes room because it takes too long. */
  constructor(clock: Clock, onRoom: () => void) {
    this.#clock = clock;
    this.#onRoom = onRoom;
  }

  /** The one place is taken. */
  get inFlight(): boolean {
    return this.#awaited !== undefined;
  }

  has(request: object): boolean {
    return this.#requests.has(request);
  }

  /** In panic the upstream gets more requests. Those beyond the one place are no trial requests. */
  begin(request: object, inPlaceOf: object | undefined, timeoutMs: number): void {
    if (this.#awaited !== undefined && this.#awaited !== inPlaceOf) return;
    this.#requests.add(request);
    this.#await(request);
    this.#timer = this.#clock.setTimeout(() => {
      this.#await(undefined);
      this.#onRoom();
    }, timeoutMs);
  }

  settled(request: object): void {
    this.#requests.delete(request);
    if (this.#awaited === request) this.#await(undefined);
  }

  end(): void {
    this.#requests.clear();
    this.#await(undefined);
  }

  #await(request: object | undefined): void {
    this.#clock.clearTimeout(this.#timer);
    this.#awaited = request;
  }
}
