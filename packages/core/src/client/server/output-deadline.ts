import type { Duplex } from "node:stream";
import { inBackground } from "../../runtime/async-context.ts";
import { SendTimeout } from "../send-timeout.ts";
import type { ServerConnectionOptions } from "./server-connection.ts";

/** The timeout of a response comes first, which has a code of its own: deadlines are checked at intervals of 20 ms. */
const marginMs = 50;

/** What limits the time in which a client must take something of what it is sent. */
export type OutputLimit = Pick<ServerConnectionOptions, "clock" | "limits">;

/** The deadline of a socket that holds data for its client, which destroys it. Created once a client has been slow. */
export class OutputDeadline {
  readonly #socket: Duplex;
  readonly #timeout: SendTimeout;
  #waiting = false;
  #released = false;

  constructor(socket: Duplex, { clock, limits: { sendMs } }: OutputLimit) {
    this.#socket = socket;
    this.#timeout = inBackground(() => new SendTimeout(clock, sendMs + marginMs, () => void socket.destroy()));
  }

  /** The socket holds data. Waits until the client has taken what it holds now. */
  wait(): void {
    if (this.#waiting || this.#socket.destroyed) return;
    this.#waiting = true;
    this.#timeout.wait();
    // Called back behind what was written before. Without a full buffer there is no `drain` event.
    this.#socket.write("", this.#onTaken);
  }

  release(): void {
    this.#released = true;
    this.#timeout.release();
  }

  readonly #onTaken = (): void => {
    if (this.#released) return;
    this.#waiting = false;
    this.#timeout.move();
    if (this.#socket.writableLength > 0) this.wait();
  };
}
