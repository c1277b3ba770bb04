import type { ServerConnection } from "../client/server/server-connection.ts";
import type { Clock } from "../runtime/clock.ts";
import type { ConnectionBudget } from "./connection-budget.ts";
import { limits } from "./limits.ts";

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
  readonly #clock: Clock;
  readonly #events: ConnectionTableEvents;
  readonly #served = new Set<ServerConnection>();
  #budget: ConnectionBudget;
  #sockets = 0;
  #nextSearchAt = -Infinity;

  constructor(budget: ConnectionBudget, clock: Clock, events: ConnectionTableEvents) {
    this.#budget = budget;
    this.#clock = clock;
    this.#events = events;
  }

  get budget(): ConnectionBudget {
    return this.#budget;
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

  /** Whether one more connection can be served; idle ones are closed if there is no room for it. If not, it must be refused. */
  hasRoom(): boolean {
    if (this.#served.size < this.#budget.served || this.#closeIdle()) return true;
    this.#events.refused();
    return false;
  }

  add(connection: ServerConnection): void {
    this.#served.add(connection);
  }

  /** Removes a connection that has closed. One that was refused is not in the table. */
  remove(connection: ServerConnection): void {
    this.#served.delete(connection);
  }

  #closeIdle(): boolean {
    const now = this.#clock.now();
    if (now < this.#nextSearchAt) return false;
    const idle = [...this.#served].filter(
      (connection) => connection.idle && now - connection.idleSince >= limits.minIdleMs,
    );
    if (idle.length === 0) {
      this.#nextSearchAt = now + limits.idleSearchMs;
      return false;
    }
    idle.sort((a, b) => Number(a.requested) - Number(b.requested) || a.idleSince - b.idleSince);
    const closed = idle.slice(0, Math.ceil(this.#budget.served / limits.idleClosedShare));
    for (const connection of closed) {
      this.#served.delete(connection);
      connection.destroy();
    }
    this.#events.closedIdle(closed.length);
    return true;
  }
}
