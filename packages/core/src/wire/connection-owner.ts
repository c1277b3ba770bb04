import type { Connection } from "./connection.ts";
import type { Http1Exchange } from "./http1-exchange.ts";

/** The transport that a connection belongs to. */
export interface ConnectionOwner {
  /** Whole and clean after an exchange: it may be used again after its rest. */
  onReleased(connection: Connection): void;
  /** The upstream has sent something that nobody asked for. */
  onSurplus(): void;
  /** Gone for good. `unsent` had been given to it, and nothing of that has been written. */
  onClosed(connection: Connection, unsent: Http1Exchange | undefined): void;
}

export interface ConnectionTimeouts {
  readonly connectMs: number;
  readonly headersMs: number;
  /** 0 is none. */
  readonly idleMs: number;
  readonly keepAliveMs: number;
}
