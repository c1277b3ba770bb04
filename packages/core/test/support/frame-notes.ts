import { FrameReader, type FrameSink } from "../../src/http2/frame-reader.ts";
import { Http2Error } from "../../src/http2/protocol.ts";

/** Writes down what a reader finds, the data of a frame in one piece. */
export class FrameNotes implements FrameSink {
  readonly lines: string[] = [];
  #data = "";

  onData(streamId: number, length: number, endStream: boolean): void {
    this.lines.push(`data ${streamId} ${length} ${endStream}`);
  }

  onDataBytes(bytes: Buffer): void {
    this.#data += bytes.toString("latin1");
  }

  onDataEnd(): void {
    this.lines.push(`= ${this.#data}`);
    this.#data = "";
  }

  onFrame(type: number, flags: number, streamId: number, payload: Buffer): void {
    this.lines.push(`${type} ${flags} ${streamId} ${payload.toString("hex")}`);
  }
}

/** What is found in bytes that come in these pieces, and the error that ends it. */
export function readFrames(pieces: readonly Buffer[]): string[] {
  const notes = new FrameNotes();
  const reader = new FrameReader(notes);
  try {
    for (const piece of pieces) reader.execute(piece);
  } catch (error) {
    if (!(error instanceof Http2Error)) throw error;
    notes.lines.push(error.message);
  }
  return notes.lines;
}
