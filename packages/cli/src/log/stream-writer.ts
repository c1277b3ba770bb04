import type { Writable } from "node:stream";
import type { BlockWriter, WriteCallback } from "./log-sink.ts";
import { undividedLength } from "./shared-streams.ts";

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
    const length = undividedLength(block);
    this.#stream.write(block.subarray(0, length), (error) => done(error, length));
  }

  writeNow(block: Buffer): void {
    for (let rest = block; rest.length > 0; ) {
      const length = undividedLength(rest);
      this.#stream.write(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
  }

  async close(): Promise<void> {}
}
