import type { HandlerAdapter } from "./handler-adapter.ts";

/**
 * Delivers a response to a handler with backpressure. What arrives while the handler has paused is queued in order. The queue
 * is bounded by one read of the connection, which is paused as well.
 */
export class PausedDelivery {
  readonly #handler: HandlerAdapter;
  readonly #onResume: () => void;
  readonly #queue: (() => boolean)[] = [];
  #paused = false;
  #delivering = false;
  #resumed = false;
  #finished = false;

  /** `onResume` is called when the handler has resumed and the queue is empty. */
  constructor(handler: HandlerAdapter, onResume: () => void) {
    this.#handler = handler;
    this.#onResume = onResume;
  }

  begin(status: number, statusText: string, headers: readonly string[]): void {
    this.#enqueue(() => this.#handler.begin(status, statusText, headers));
  }

  /** False: pause the connection until `onResume`. */
  data(chunk: Buffer): boolean {
    return this.#enqueue(() => this.#handler.data(chunk));
  }

  end(trailers: readonly string[]): void {
    this.#enqueue(() => {
      this.#finished = true;
      this.#handler.end(trailers);
      return true;
    });
  }

  /** The end has not been delivered yet. */
  get pending(): boolean {
    return !this.#finished;
  }

  /** Discards the queue. */
  drop(): void {
    this.#finished = true;
    this.#queue.length = 0;
  }

  resume(): void {
    this.#resumed = true;
    if (this.#delivering || !this.#paused) return;
    this.#paused = false;
    while (!this.#paused && this.#queue.length > 0) this.#deliver(this.#queue.shift() as () => boolean);
    if (!this.#paused) this.#onResume();
  }

  #enqueue(step: () => boolean): boolean {
    if (this.#paused) this.#queue.push(step);
    else this.#deliver(step);
    return !this.#paused;
  }

  /** A `resume` during a callback applies to the data after it. */
  #deliver(step: () => boolean): void {
    this.#delivering = true;
    this.#resumed = false;
    try {
      this.#paused = !step() && !this.#resumed;
    } finally {
      this.#delivering = false;
    }
  }
}
