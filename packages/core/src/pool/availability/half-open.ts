import type { Clock, Timer } from "../../runtime/clock.ts";

/**
 * What stands between an upstream's ejection and its return: one request at a time, until one has shown how it is.
 *
 * A request that has no answer for long, such as a slow client's upload, makes room for the next one, or it would keep the
 * upstream out for as long as it lasts. What it brings in the end is as good a proof as that of any other.
 */
export class Trial {
  readonly #clock: Clock;
  readonly #onRoom: () => void;
  /** Those begun on it and not settled, told by their identity. */
  readonly #requests = new Set<object>();
  /** The one of them that the next one has to wait for. */
  #awaited: object | undefined;
  #timer: Timer;

  /** `onRoom` is called when a request has made room by lasting. */
  constructor(clock: Clock, onRoom: () => void) {
    this.#clock = clock;
    this.#onRoom = onRoom;
  }

  /** There is no room for another request. */
  get underWay(): boolean {
    return this.#awaited !== undefined;
  }

  has(request: object): boolean {
    return this.#requests.has(request);
  }

  /** In panic it is not the only request that the upstream gets: without room, one is like any other. */
  begin(request: object, inPlaceOf: object | undefined, patienceMs: number): void {
    if (this.#awaited !== undefined && this.#awaited !== inPlaceOf) return;
    this.#requests.add(request);
    this.#await(request);
    this.#timer = this.#clock.setTimeout(() => {
      this.#await(undefined);
      this.#onRoom();
    }, patienceMs);
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
