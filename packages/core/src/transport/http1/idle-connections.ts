import type { Connection } from "./connection.ts";

/** Milliseconds for which a connection is not used after a response; see README.md, "resting". */
const restMs = 5;

/**
 * The connections to an upstream that have no work. One rests first, for as long as an answer that nobody asked for may be
 * on its way. Of those that have rested the last to be released is used first.
 */
export class IdleConnections {
  /** In the order of their release. */
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

  /** Takes out one that has rested. */
  take(now: number): Connection | undefined {
    while (this.nextRestedAt <= now) this.#rested.push(this.#resting.shift() as Connection);
    return this.#rested.pop();
  }

  /** Takes out the one that would be used last. */
  takeLeast(): Connection | undefined {
    return this.#rested.shift() ?? this.#resting.shift();
  }

  /** When the next of those that rest will have rested; Infinity when none does. */
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
