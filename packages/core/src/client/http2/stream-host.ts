import type { Clock } from "../../runtime/clock.ts";
import type { Ticker } from "../../runtime/ticker.ts";
import type { ConnectionOutput } from "./connection-output.ts";

/** The connection of a stream. */
export interface StreamHost {
  readonly clock: Clock;
  readonly ticker: Ticker;
  readonly output: ConnectionOutput;
  readonly remoteAddress: string | undefined;
  readonly encrypted: boolean;
  /** The longest time without progress of a response that waits for its client; 0 is no limit. */
  readonly sendMs: number;
  /** Bytes of the connection's window were consumed or dropped. */
  onConsumed(bytes: number): void;
  /** The stream is closed. `reset`: its client may not know yet, and may go on sending. */
  onStreamClosed(streamId: number, reset: boolean): void;
}
