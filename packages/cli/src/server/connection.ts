import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { limits } from "../limits.ts";

/** One connection of a client, and the requests on it that are not finished. */
export class Connection {
  readonly socket: Socket;
  /** It has brought a request, or has been refused. */
  used = false;
  readonly #active = new Set<ServerResponse>();
  #refused = false;
  #closing = false;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  /** Has not brought a byte yet. A TLS client has, in its handshake. */
  get silent(): boolean {
    return !this.used && ("encrypted" in this.socket || this.socket.bytesRead === 0);
  }

  begin(res: ServerResponse): void {
    this.used = true;
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

  /**
   * Ends a connection whose bytes cannot be read any further, with an answer where there is still room for one.
   *
   * True when the refused bytes are no part of a request that was handed on: nobody else knows of them.
   */
  refuse(answer: string): boolean {
    if (this.#refused) return false;
    this.#refused = true;
    this.used = true;
    const active = [...this.#active];
    const last = active.at(-1);
    if (last === undefined) {
      endWith(this.socket, answer);
      return true;
    }
    if (active.every(isReceived)) {
      // What came behind whole requests may not spoil their answers; it gets none of its own.
      this.closeAfterAnswer();
      last.once("close", () => endWith(this.socket, ""));
    } else if (last.headersSent || active.length > 1) {
      this.socket.destroy();
    } else {
      endWith(this.socket, answer);
    }
    return false;
  }
}

/** Whether the whole request has come in. */
function isReceived({ req }: { readonly req: IncomingMessage }): boolean {
  return req.complete;
}

/** Cutting the connection at once would take the answer from a client that is still sending. */
function endWith(socket: Duplex, answer: string): void {
  if (socket.destroyed) return;
  socket.on("error", () => {});
  socket.end(answer, "latin1");
  const timer = setTimeout(() => socket.destroy(), limits.refusalLingerMs);
  socket.once("close", () => clearTimeout(timer));
}
