import { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { dropRest } from "./bare-socket.ts";

/**
 * An upgrade that is not taken, as the ordinary request that it is, with a body of so many bytes. What comes behind it is
 * dropped.
 *
 * Node before version 26 ends such a request with its head, and leaves the body on the socket. Later ones read the body,
 * and give out a stream in place of the socket until they have: touching that would throw the body away.
 */
export function untaken(req: IncomingMessage, socket: Duplex, head: Buffer, length: number): IncomingMessage {
  if (length > 0 && !req.complete) {
    req.once("end", () => dropRest(socket));
    return req;
  }
  dropRest(socket);
  return length > 0 && req.readableLength === 0 ? new UntakenUpgrade(req, socket, head, length) : req;
}

/** The same request once more, whose stream is read from the socket. */
class UntakenUpgrade extends IncomingMessage {
  readonly #source: Duplex;
  #left: number;

  constructor(req: IncomingMessage, source: Duplex, head: Buffer, length: number) {
    super(req.socket);
    this.#source = source;
    this.#left = length;
    const { method, url, httpVersion, httpVersionMajor, httpVersionMinor, rawHeaders, headers } = req;
    Object.assign(this, { method, url, httpVersion, httpVersionMajor, httpVersionMinor, rawHeaders, headers });
    this.#onData(head);
    source.on("data", (bytes: Buffer) => this.#onData(bytes));
  }

  override _read(): void {
    this.#source.resume();
  }

  #onData(bytes: Buffer): void {
    if (this.#left === 0) return;
    const piece = bytes.subarray(0, this.#left);
    this.#left -= piece.length;
    if (!this.push(piece)) this.#source.pause();
    if (this.#left > 0) return;
    this.complete = true;
    this.push(null);
    this.#source.resume();
  }
}
