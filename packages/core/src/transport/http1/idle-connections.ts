import type { Connection } from "./connection.ts";

/** Milliseconds for which a connection is not used after a response; see README.md, "resting". */
const restMs = 5;

/**
 * The idle connections to an upstream. A released connection rests first, for as long as surplus bytes may still arrive. Rested
 * ones are used last in, first out.
 */
export class IdleConnections {
  /** In the order of release. */
  readonly #resting: Connection[] = [];
  readonly #rested: Connection[] = [];

  get size(): number {
    return this.#resting.length + this.#rested.length;
  }

  add(connection: Connection): void {
    this.#resting.push(connection);
  }

  remove(connection: Connection): void {
    removeFrom(this.#resting, connection);
    removeFrom(this.#rested, connection);
  }

  /** Removes and returns a rested connection. */
  take(now: number): Connection | undefined {
    while (this.nextRestedAt <= now) this.#rested.push(this.#resting.shift() as Connection);
    return this.#rested.pop();
  }

  /** Removes and returns the connection that would be used last. */
  takeLeast(): Connection | undefined {
    return this.#rested.shift() ?? this.#resting.shift();
  }

  /** The time on the clock when the next connection has rested; Infinity when none is resting. */
  get nextRestedAt(): number {
    const first = this.#resting[0];
    return first === undefined ? Infinity : first.releasedAt + restMs;
  }

  closeAll(): void {
    for (const connection of [...this.#rested, ...this.#resting]) connection.close();
  }
}

function removeFrom(list: Connection[], connection: Connection): void {
  const index = list.indexOf(connection);
  if (index !== -1) list.splice(index, 1);
}
