import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** One connection of a client, and the requests on it that are not finished. */
export class Connection {
  readonly socket: Socket;
  /** It has brought a request. */
  asked = false;
  readonly #active = new Set<ServerResponse>();
  #closing = false;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  /** Has not brought a byte of HTTP yet. */
  get silent(): boolean {
    return this.socket.bytesRead === 0;
  }

  begin(res: ServerResponse): void {
    this.asked = true;
    this.#active.add(res);
    res.once("close", () => this.#active.delete(res));
    if (this.#closing) res.shouldKeepAlive = false;
  }

  /** Answers tell the client from now on that the connection ends with them. */
  closeAfterAnswer(): void {
    this.#closing = true;
    for (const res of this.#active) {
      if (!res.headersSent) res.shouldKeepAlive = false;
    }
  }
}
