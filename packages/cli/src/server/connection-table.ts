import { limits } from "../limits.ts";
import type { Connection } from "./client-connection.ts";
import type { ConnectionBudget } from "./connection-budget.ts";

export interface ConnectionTableEvents {
  /** So many idle connections were closed to make room. */
  readonly closedIdle: (count: number) => void;
  /** A connection was turned away: none is idle. */
  readonly refused: () => void;
}

/**
 * The connections of clients of all listeners that share a limit.
 *
 * When there is no room for another one, those without a request in flight are closed: first those that have never brought
 * any, then those that have been idle longest, a few at a time, so that the search for them costs little for each.
 */
export class ConnectionTable {
  readonly #events: ConnectionTableEvents;
  readonly #minIdleMs: number;
  readonly #served = new Set<Connection>();
  #budget: ConnectionBudget;
  #sockets = 0;
  #nextSearchAt = -Infinity;

  /** A connection that has been idle for less than `minIdleMs` stays: its next request may be on its way. */
  constructor(budget: ConnectionBudget, events: ConnectionTableEvents, minIdleMs: number = limits.minIdleMs) {
    this.#budget = budget;
    this.#events = events;
    this.#minIdleMs = minIdleMs;
  }

  set budget(budget: ConnectionBudget) {
    this.#budget = budget;
  }

  /** Connections that are served. */
  get size(): number {
    return this.#served.size;
  }

  /**
   * Counts a socket that was accepted, and makes room for it if there is none. False when it is one too many; it has to be
   * released in both cases.
   */
  acceptSocket(): boolean {
    const max = this.#budget.served + this.#budget.turnedAway;
    return ++this.#sockets <= max || this.#closeIdle();
  }

  releaseSocket(): void {
    this.#sockets--;
  }

  /** Takes a connection in, and makes room for it if there is none. False when it has to be turned away. */
  admit(connection: Connection): boolean {
    if (this.#served.size >= this.#budget.served && !this.#closeIdle()) {
      this.#events.refused();
      return false;
    }
    this.#served.add(connection);
    connection.socket.once("close", () => this.#served.delete(connection));
    return true;
  }

  #closeIdle(): boolean {
    const now = performance.now();
    if (now < this.#nextSearchAt) return false;
    const idle = [...this.#served].filter((one) => one.idle && now - one.idleSince >= this.#minIdleMs);
    if (idle.length === 0) {
      this.#nextSearchAt = now + limits.idleSearchMs;
      return false;
    }
    idle.sort((a, b) => Number(a.asked) - Number(b.asked) || a.idleSince - b.idleSince);
    const closed = idle.slice(0, Math.ceil(this.#budget.served / limits.idleClosedShare));
    for (const connection of closed) {
      this.#served.delete(connection);
      connection.socket.destroy();
    }
    this.#events.closedIdle(closed.length);
    return true;
  }
}
