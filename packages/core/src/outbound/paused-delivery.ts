import type { Caller } from "./handler-adapter.ts";

/**
 * Hands an answer over with the caller's pace. What has come although the caller wants no more is kept in order: it is
 * bounded by what a connection reads at once, since no more is read from it meanwhile.
 */
export class Delivery {
  readonly #caller: Caller;
  readonly #onFlowing: () => void;
  readonly #kept: (() => boolean)[] = [];
  #paused = false;
  #handing = false;
  #resumed = false;
  #finished = false;

  /** `onFlowing` is called when the caller wants more than has been kept. */
  constructor(caller: Caller, onFlowing: () => void) {
    this.#caller = caller;
    this.#onFlowing = onFlowing;
  }

  begin(status: number, statusText: string, headers: readonly string[]): void {
    this.#hand(() => this.#caller.begin(status, statusText, headers));
  }

  /** False asks for no more until `onFlowing`. */
  data(chunk: Buffer): boolean {
    return this.#hand(() => this.#caller.data(chunk));
  }

  end(trailers: readonly string[]): void {
    this.#hand(() => {
      this.#finished = true;
      this.#caller.end(trailers);
      return true;
    });
  }

  /** The caller has not been told of the end yet. */
  get pending(): boolean {
    return !this.#finished;
  }

  /** What has been kept is of no use any more. */
  drop(): void {
    this.#finished = true;
    this.#kept.length = 0;
  }

  resume(): void {
    this.#resumed = true;
    if (this.#handing || !this.#paused) return;
    this.#paused = false;
    while (!this.#paused && this.#kept.length > 0) this.#now(this.#kept.shift() as () => boolean);
    if (!this.#paused) this.#onFlowing();
  }

  #hand(step: () => boolean): boolean {
    if (this.#paused) this.#kept.push(step);
    else this.#now(step);
    return !this.#paused;
  }

  /** Whoever asks for more while it is handed something has asked for what comes after it. */
  #now(step: () => boolean): void {
    this.#handing = true;
    this.#resumed = false;
    try {
      this.#paused = !step() && !this.#resumed;
    } finally {
      this.#handing = false;
    }
  }
}
