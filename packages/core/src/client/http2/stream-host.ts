import type { Clock } from "../../runtime/clock.ts";
import type { Ticker } from "../../runtime/ticker.ts";
import type { ConnectionOutput } from "./connection-output.ts";
import type { ExtraWindows } from "./incoming-body.ts";

/** The connection of a stream. */
export interface StreamHost {
  readonly clock: Clock;
  readonly ticker: Ticker;
  readonly output: ConnectionOutput;
  readonly remoteAddress: string | undefined;
  readonly encrypted: boolean;
  /** The longest time without progress of a response that waits for its client; 0 is no limit. */
  readonly sendMs: number;
  /** The longest time until the end of a request that is forwarded as a whole; 0 is no limit. */
  readonly headMs: number;
  readonly extraWindows: ExtraWindows;
  /** The stream is closed. `reset`: its client may not know yet, and may go on sending. */
  onStreamClosed(streamId: number, reset: boolean): void;
}
