import type { Duplex } from "node:stream";
import type { RawStream } from "../raw-stream.ts";
import type { ConnectionOutput } from "../server/connection-output.ts";
import type { ServerExchange } from "./server-exchange.ts";

/** What an exchange needs of its connection. */
export interface ExchangeConnection {
  readonly socket: Duplex;
  readonly remoteAddress: string | undefined;
  readonly encrypted: boolean;
  /** The line of a Date field. */
  readonly dateLine: string;
  /** The lines of a response behind which the connection stays open. */
  readonly keepAliveLines: string;
  readonly output: ConnectionOutput;
  /** The responses to all earlier requests have ended. */
  isFront(exchange: ServerExchange): boolean;
  /** A response begins. `close` asks for the end of the connection behind it. Returns whether it ends there. */
  onBegin(exchange: ServerExchange, close: boolean, last: boolean): boolean;
  onEnded(exchange: ServerExchange): void;
  onCutOff(exchange: ServerExchange): void;
  /** The handler reads, pauses or drops the body. */
  onBodyFlow(exchange: ServerExchange): void;
  onHeldChanged(bytes: number): void;
  /** Resets the connection behind what was written. */
  resetAfterData(): void;
  takeOver(exchange: ServerExchange, headers: readonly string[]): RawStream | undefined;
}
