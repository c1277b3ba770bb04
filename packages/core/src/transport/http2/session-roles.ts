/** The interfaces between a session, its transport, its streams and the reader of its frames. */

import type { HeadLimits } from "../../config/resolved.ts";
import type { Http2Error } from "../../http2/protocol.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Ticker } from "../../runtime/ticker.ts";
import type { ConnectionTimeouts } from "../http1/connection-setup.ts";
import type { Http2Exchange } from "./http2-exchange.ts";
import type { LivenessTimeouts } from "./liveness.ts";
import type { Session } from "./session.ts";
import type { SessionOutput } from "./session-output.ts";
import type { Http2Stream } from "./stream.ts";

/** The transport that a session belongs to. */
export interface SessionOwner {
  /** A stream has ended, or the upstream allows more of them. */
  onRoom(session: Session): void;
  /** The session accepts no new streams, and closes when those it has have ended. */
  onRetired(session: Session): void;
  /** The session is closed. */
  onClosed(session: Session): void;
  /** The session has claimed these exchanges, and nothing of them has been sent. */
  onUnsent(exchanges: readonly Http2Exchange[]): void;
  /** The upstream has sent HTTP_1_1_REQUIRED. */
  onHttp1Required(): void;
}

/** The arguments of a new session beside its socket. */
export interface SessionSetup {
  readonly owner: SessionOwner;
  readonly timeouts: ConnectionTimeouts;
  readonly liveness: LivenessTimeouts;
  readonly responseHead: HeadLimits;
  readonly ticker: Ticker;
  readonly clock: Clock;
}

/** The connection of a stream. */
export interface StreamHost {
  readonly clock: Clock;
  readonly ticker: Ticker;
  readonly timeouts: ConnectionTimeouts;
  readonly output: SessionOutput;
  /** An exchange has ended on the connection. */
  readonly served: boolean;
  /** The stream is closed on both sides, or abandoned: then `reset` is the code of the RST_STREAM to send. */
  onStreamOver(stream: Http2Stream, reset: number | undefined): void;
  /** Whether an exchange had ended before the stream was opened, and nothing has been received since. */
  isStale(stream: Http2Stream): boolean;
  /** A stream has received nothing for too long. */
  onStreamTimeout(): void;
  onHttp1Required(): void;
}

/** The connection whose frames are read. */
export interface InputHost {
  readonly output: SessionOutput;
  /** An open stream. */
  stream(id: number): Http2Stream | undefined;
  /** No request has been sent on the stream. */
  isIdle(id: number): boolean;
  onSettings(payload: Buffer): void;
  onGoaway(lastStreamId: number, code: number): void;
  failStream(stream: Http2Stream, error: Http2Error): void;
}
