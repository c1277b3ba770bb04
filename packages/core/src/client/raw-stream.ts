import type { Duplex } from "node:stream";

/** A connection after an upgrade. */
export class RawStream {
  readonly stream: Duplex;
  /** Bytes that were received behind the head of the request or response. */
  readonly early: Buffer;
  readonly #bytesBefore: number;

  /** To be made as soon as the head has been read: a socket may read ahead before it is used. */
  constructor(stream: Duplex, early: Buffer) {
    this.stream = stream;
    this.early = early;
    this.#bytesBefore = receivedBytes(stream) - early.length;
  }

  /** Bytes received since the head, `early` included; 0 for a stream that does not count them. */
  get bytesRead(): number {
    return receivedBytes(this.stream) - this.#bytesBefore;
  }
}

function receivedBytes(stream: Duplex & { readonly bytesRead?: number }): number {
  return stream.bytesRead ?? 0;
}
