import { close, fsync, write, writeSync } from "node:fs";
import { promisify } from "node:util";
import type { BlockWriter, WriteCallback } from "./log-sink.ts";

/** Writes to a regular file that is open for appending. A thread of Node's pool waits for the disk. */
export class FileWriter implements BlockWriter {
  readonly endsWithError = false;
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(block: Buffer, done: WriteCallback): void {
    write(this.#fd, block, 0, block.length, null, done);
  }

  writeNow(block: Buffer): void {
    for (let rest = block; rest.length > 0; ) rest = rest.subarray(writeSync(this.#fd, rest));
  }

  /** A standard stream stays open. */
  async close(): Promise<void> {
    // Not every file system can do it.
    await promisify(fsync)(this.#fd).catch(() => {});
    if (this.#fd > 2) await promisify(close)(this.#fd).catch(() => {});
  }
}
