import { limits } from "../limits.ts";
import type { ClientConnection } from "./client-connection.ts";
import type { ConnectionBudget } from "./connection-budget.ts";

export interface ConnectionTableEvents {
  /** A number of idle connections was closed to make room. */
  readonly closedIdle: (count: number) => void;
  /** A connection was refused, because no other connection is idle. */
  readonly refused: () => void;
}

/**
 * The client connections of all listeners that share a limit.
 *
 * At the limit, connections without a request in flight are closed to make room: first those that have never sent a request,
 * then the ones that have been idle longest. They are closed in batches, so that the search costs little per connection.
 */
export class ConnectionTable {
  readonly #events: ConnectionTableEvents;
  readonly #minIdleMs: number;
  readonly #served = new Set<ClientConnection>();
  #budget: ConnectionBudget;
  #sockets = 0;
  #nextSearchAt = -Infinity;

  /** A connection that has been idle for less than `minIdleMs` is not closed: its next request may arrive at any moment. */
  constructor(budget: ConnectionBudget, events: ConnectionTableEvents, minIdleMs: number = limits.minIdleMs) {
    this.#budget = budget;
    this.#events = events;
    this.#minIdleMs = minIdleMs;
  }

  set budget(budget: ConnectionBudget) {
    this.#budget = budget;
  }

  /** The number of served connections. */
  get size(): number {
    return this.#served.size;
  }

  /**
   * Counts an accepted socket, and closes idle connections if there is no room for it. Returns false if it is over the limit.
   * It must be released in both cases.
   */
  acceptSocket(): boolean {
    const max = this.#budget.served + this.#budget.refused;
    return ++this.#sockets <= max || this.#closeIdle();
  }

  releaseSocket(): void {
    this.#sockets--;
  }

  /** Adds a connection, and closes idle ones if there is no room for it. Returns false if it must be refused. */
  admit(connection: ClientConnection): boolean {
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
    const idle = [...this.#served].filter(
      (connection) => connection.idle && now - connection.idleSince >= this.#minIdleMs,
    );
    if (idle.length === 0) {
      this.#nextSearchAt = now + limits.idleSearchMs;
      return false;
    }
    idle.sort((a, b) => Number(a.requested) - Number(b.requested) || a.idleSince - b.idleSince);
    const closed = idle.slice(0, Math.ceil(this.#budget.served / limits.idleClosedShare));
    for (const connection of closed) {
      this.#served.delete(connection);
      connection.socket.destroy();
    }
    this.#events.closedIdle(closed.length);
    return true;
  }
}
