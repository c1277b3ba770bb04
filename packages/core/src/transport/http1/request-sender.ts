import type { Socket } from "node:net";
import { chunkHead, lastChunk } from "../../http1/chunked-encoder.ts";

/**
 * The sending half of a connection: writes the head of a request at once, and its body with backpressure, framed as the head
 * announces.
 */
export class RequestSender {
  readonly #socket: Socket;
  /** Called when the body cannot be written, before Node destroys the socket. */
  readonly #onWritten: (error: Error | null | undefined) => void;
  #chunked = false;
  /** Bytes of the body that are still to be written; unused for a chunked body. */
  #left = 0;
  #done = true;

  constructor(socket: Socket, onWriteFailed: () => void) {
    this.#socket = socket;
    this.#onWritten = (error) => {
      if (error) onWriteFailed();
    };
  }

  /** The whole request has been written to the socket. */
  get done(): boolean {
    return this.#done;
  }

  /** The whole request has been written to the kernel. */
  get sent(): boolean {
    return this.#done && this.#socket.writableLength === 0;
  }

  /** The socket needs to drain. */
  get blocked(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** Writes the head of a request. `bodyLength` is 0 for no body and -1 for a chunked one. */
  begin(head: string, bodyLength: number): void {
    this.#chunked = bodyLength === -1;
    this.#left = bodyLength;
    this.#done = bodyLength === 0;
    if (this.#done) {
      this.#socket.write(head, "latin1");
      return;
    }
    // A part of the body that is available already is sent in the same packet as the head.
    this.#socket.cork();
    this.#socket.write(head, "latin1");
    process.nextTick(uncork, this.#socket);
  }

  /** Whether the length that the head announces has room for `bytes` more. */
  fits(bytes: number): boolean {
    return !this.#done && (this.#chunked || bytes <= this.#left);
  }

  /** Whether the body may end here. */
  get endable(): boolean {
    return !this.#done && (this.#chunked || this.#left === 0);
  }

  /** False asks to wait until the socket drains. */
  write(chunk: Uint8Array): boolean {
    const socket = this.#socket;
    if (!this.#chunked) {
      this.#left -= chunk.length;
      return socket.write(chunk, this.#onWritten);
    }
    socket.cork();
    socket.write(chunkHead(chunk.length), "latin1");
    socket.write(chunk);
    const room = socket.write("\r\n", "latin1", this.#onWritten);
    socket.uncork();
    return room;
  }

  end(): void {
    this.#done = true;
    if (this.#chunked) this.#socket.write(lastChunk, "latin1", this.#onWritten);
  }
}

function uncork(socket: Socket): void {
  socket.uncork();
}
