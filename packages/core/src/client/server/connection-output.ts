import type { Duplex } from "node:stream";
import { limits } from "../../config/defaults.ts";
import { OutputDeadline, type OutputLimit } from "./output-deadline.ts";
import { type Flushable, writeBatch } from "./write-batch.ts";
import { reuse, writeJoined } from "./write-blocks.ts";

/** More text than this is not held until the end of the turn. */
const maxHeldText = 16_384;

/**
 * The output of one connection. Text waits for the end of the event loop's turn; larger data is written at once, behind the text
 * that waits.
 */
export class ConnectionOutput implements Flushable {
  readonly #socket: Duplex;
  readonly #limit: OutputLimit;
  readonly #onFlush: () => void;
  #deadline: OutputDeadline | undefined;
  #released = false;
  #text = "";
  #scheduled = false;
  /** Blocks that the socket holds. */
  #lent: Buffer[] = [];

  /** `onFlush` is called at the end of a turn in which something was added, when it has been given to the socket. */
  constructor(socket: Duplex, limit: OutputLimit, onFlush: () => void) {
    this.#socket = socket;
    this.#limit = limit;
    this.#onFlush = onFlush;
  }

  /** The socket holds so much that more has to wait until it has drained. */
  get blocked(): boolean {
    return this.#socket.writableNeedDrain && this.#socket.writableLength > 0;
  }

  /** Everything was given to the kernel. */
  get written(): boolean {
    return this.#text === "" && this.#socket.writableLength === 0;
  }

  /** Adds text in Latin-1. */
  add(text: string): void {
    this.#text += text;
    if (this.#text.length > maxHeldText) this.writeText();
    this.schedule();
  }

  /** Adds data between two strings. It is only read during the call. */
  addData(before: string, data: Uint8Array | string, after: string): void {
    if (typeof data === "string") return this.add(before + data + after);
    if (data.length <= limits.joinedBodyBytes) return this.add(before + latin1(data) + after);
    const text = this.#text + before;
    this.#text = "";
    const block = writeJoined(this.#socket, text, data, after);
    if (block !== undefined) this.#lent.push(block);
    this.schedule();
  }

  /** Has `onFlush` called at the end of the turn. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    writeBatch.add(this);
  }

  flush(): void {
    this.#scheduled = false;
    this.writeText();
    this.#onFlush();
    if (this.#socket.writableLength > 0 && !this.#released) this.#startDeadline();
  }

  writeText(): void {
    if (this.#text === "") return;
    const text = this.#text;
    this.#text = "";
    this.#socket.write(text, "latin1");
  }

  /** The connection has closed or was taken over: what its client does not read is no longer limited here. */
  release(): void {
    this.#released = true;
    this.#deadline?.release();
  }

  #startDeadline(): void {
    if (this.#limit.limits.sendMs === 0) return;
    this.#deadline ??= new OutputDeadline(this.#socket, this.#limit);
    this.#deadline.wait();
  }

  /** The socket has drained. */
  onDrain(): void {
    if (this.#lent.length === 0 || this.#socket.writableLength > 0) return;
    for (const block of this.#lent) reuse(block);
    this.#lent = [];
  }
}

function latin1(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.length).toString("latin1");
}
