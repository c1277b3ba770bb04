import type { Socket } from "node:net";
import { chunkHead, lastChunk } from "../../http1/chunked-encoder.ts";

/**
 * The sending half of a connection: the head of a request in one write, and its body at the upstream's pace, framed as the
 * head has promised.
 */
export class RequestSender {
  readonly #socket: Socket;
  /** Told of a body that cannot be written, before the socket is destroyed for it. */
  readonly #onWritten: (error: Error | null | undefined) => void;
  #chunked = false;
  /** Bytes of the body that are still to come; without meaning for one in chunks. */
  #left = 0;
  #done = true;

  constructor(socket: Socket, onWriteFailed: () => void) {
    this.#socket = socket;
    this.#onWritten = (error) => {
      if (error) onWriteFailed();
    };
  }

  /** Everything of the request has been handed over. */
  get done(): boolean {
    return this.#done;
  }

  /** Everything of the request has left the process. */
  get sent(): boolean {
    return this.#done && this.#socket.writableLength === 0;
  }

  /** The upstream reads more slowly than is written. */
  get blocked(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** Begins with the head of a request whose body has that many bytes: 0 for none, -1 for one in chunks. */
  begin(head: string, bodyLength: number): void {
    this.#chunked = bodyLength === -1;
    this.#left = bodyLength;
    this.#done = bodyLength === 0;
    if (this.#done) {
      this.#socket.write(head, "latin1");
      return;
    }
    // What there is of the body already goes out with the head in one packet.
    this.#socket.cork();
    this.#socket.write(head, "latin1");
    process.nextTick(uncork, this.#socket);
  }

  /** Whether that many bytes are within what the head has promised. */
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
