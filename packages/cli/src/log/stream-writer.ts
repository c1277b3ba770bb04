import type { Writable } from "node:stream";
import type { BlockWriter, WriteCallback } from "./log-sink.ts";

/** Writes to a standard stream that is a pipe, a terminal or a socket. It stays open. */
export class StreamWriter implements BlockWriter {
  readonly endsWithError = true;
  readonly #stream: Writable;

  constructor(stream: Writable) {
    this.#stream = stream;
    // The callback of the write reports the error. The listener stays: another part of the process may write later.
    stream.on("error", () => {});
  }

  write(block: Buffer, done: WriteCallback): void {
    this.#stream.write(block, (error) => done(error, block.length));
  }

  writeNow(block: Buffer): void {
    this.#stream.write(block);
  }

  async close(): Promise<void> {}
}
