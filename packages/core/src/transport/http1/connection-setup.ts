import type { Socket } from "node:net";
import type { HeadLimits } from "../../config/resolved.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Ticker } from "../../runtime/ticker.ts";
import type { ConnectionLifetime } from "./connection-lifetime.ts";
import type { Http1Exchange } from "./http1-exchange.ts";
import type { Http1Transport } from "./http1-transport.ts";

export interface ConnectionTimeouts {
  readonly connectMs: number;
  readonly headersMs: number;
  /** 0 is none. */
  readonly idleMs: number;
  readonly keepAliveMs: number;
}

/** The arguments of a new connection. */
export interface ConnectionSetup {
  /** Opens the socket. The bytes that `onBytes` receives are valid during the call only. */
  readonly open: (onBytes: (bytes: Buffer) => void) => Socket;
  readonly transport: Http1Transport;
  readonly timeouts: ConnectionTimeouts;
  readonly responseHead: HeadLimits;
  readonly ticker: Ticker;
  readonly tls: boolean;
  /** The event that reports that the socket is usable; undefined when it is usable already. */
  readonly ready: "connect" | "secureConnect" | undefined;
  /** The time on the clock when the opening began. */
  readonly openedAt: number;
  readonly clock: Clock;
  readonly lifetime: ConnectionLifetime;
  /** The first exchange. */
  readonly exchange: Http1Exchange;
}
