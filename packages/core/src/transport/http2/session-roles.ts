/** What a session is to its transport, to its streams and to what reads its frames. */

import type { HeadLimits } from "../../config/resolved.ts";
import type { Http2Error } from "../../http2/protocol.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Ticker } from "../../runtime/ticker.ts";
import type { ConnectionTimeouts } from "../http1/connection-owner.ts";
import type { Http2Exchange } from "./http2-exchange.ts";
import type { Session } from "./session.ts";
import type { SessionOutput } from "./session-output.ts";
import type { Http2Stream } from "./stream.ts";

/** The transport that a session belongs to. */
export interface SessionOwner {
  /** A stream has ended, or the upstream allows more of them. */
  onRoom(session: Session): void;
  /** It takes no new streams any more, and ends with those it has. */
  onRetired(session: Session): void;
  /** Gone for good. */
  onClosed(session: Session): void;
  /** It was given these, and nothing of them has been sent. */
  onUnsent(exchanges: readonly Http2Exchange[]): void;
  /** The upstream wants to be spoken to in HTTP/1.1. */
  onHttp1Required(): void;
}

/** What a session is made with, beside its socket. */
export interface SessionSetup {
  readonly owner: SessionOwner;
  readonly timeouts: ConnectionTimeouts;
  readonly responseHead: HeadLimits;
  readonly ticker: Ticker;
  readonly clock: Clock;
}

/** The connection that a stream is on. */
export interface StreamHost {
  readonly clock: Clock;
  readonly ticker: Ticker;
  readonly timeouts: ConnectionTimeouts;
  readonly output: SessionOutput;
  /** It has carried an exchange to its end. */
  readonly served: boolean;
  /** The stream is over on both sides, or given up: `reset` is the code of the RST_STREAM that is sent for it. */
  onStreamOver(stream: Http2Stream, reset: number | undefined): void;
  /** Whether the connection had served before the stream was opened and nothing has come since. */
  isStale(stream: Http2Stream): boolean;
  /** The upstream was silent for too long on a stream. */
  onStreamTimeout(): void;
  onHttp1Required(): void;
}

/** The connection whose frames are read. */
export interface InputHost {
  readonly output: SessionOutput;
  /** An open stream. */
  stream(id: number): Http2Stream | undefined;
  /** No request has been sent on it, or none could be. */
  isIdle(id: number): boolean;
  onSettings(payload: Buffer): void;
  onGoaway(lastStreamId: number, code: number): void;
  failStream(stream: Http2Stream, error: Http2Error): void;
}
