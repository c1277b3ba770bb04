import { writeFrameHeader } from "./frame-writer.ts";
import { frameHeaderBytes } from "./protocol.ts";

/** The range of the memory that a batch begins with. */
const minBytes = 1_024;
const maxBytes = 81_920;

const noBytes = Buffer.alloc(0);

/** Frames in one piece of memory, so that one write sends them. */
export class FrameBatch {
  length = 0;
  #bytes: Buffer = noBytes;
  /** What the next batch begins with: a little more than the last one has needed. */
  #expected = minBytes;

  /** Adds the header of a frame, and makes room for its payload. */
  beginFrame(type: number, flags: number, streamId: number, length: number): void {
    const at = this.#reserve(frameHeaderBytes + length);
    writeFrameHeader(this.#bytes, at, type, flags, streamId, length);
    this.length = at + frameHeaderBytes;
  }

  add(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
    this.length = at + bytes.length;
  }

  /** Adds a Latin-1 text. */
  addText(text: string): void {
    const at = this.#reserve(text.length);
    this.length = at + this.#bytes.write(text, at, "latin1");
  }

  /** Returns what was added, and begins another batch. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.length);
    this.#expected = Math.max(minBytes, Math.min(this.length + (this.length >> 2), maxBytes));
    this.#bytes = noBytes;
    this.length = 0;
    return taken;
  }

  /** Makes room for bytes, and returns their position. */
  #reserve(bytes: number): number {
    const at = this.length;
    const needed = at + bytes;
    if (needed <= this.#bytes.length) return at;
    const larger = Buffer.allocUnsafe(Math.max(this.#expected, at === 0 ? needed : 2 * needed));
    larger.set(this.#bytes.subarray(0, at));
    this.#bytes = larger;
    return at;
  }
}
