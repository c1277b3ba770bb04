import type { Socket } from "node:net";
import type { HeadLimits } from "../../config/resolved.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Ticker } from "../../runtime/ticker.ts";
import type { Connection } from "./connection.ts";
import type { ConnectionLifetime } from "./connection-lifetime.ts";
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

/** What a connection is opened with. */
export interface ConnectionSetup {
  /** Opens the socket; what arrives is given to `onBytes`, and is valid during the call. */
  readonly open: (onBytes: (bytes: Buffer) => void) => Socket;
  readonly owner: ConnectionOwner;
  readonly timeouts: ConnectionTimeouts;
  readonly responseHead: HeadLimits;
  readonly ticker: Ticker;
  readonly tls: boolean;
  /** The event that reports that it is usable; undefined when it is already. */
  readonly ready: "connect" | "secureConnect" | undefined;
  /** When its opening began, on the clock. */
  readonly openedAt: number;
  readonly clock: Clock;
  readonly lifetime: ConnectionLifetime;
  /** What it is opened for. */
  readonly exchange: Http1Exchange;
}
