import { limits } from "../../config/defaults.ts";
import { ReceiveWindow } from "../../http2/flow-window.ts";

/** The body of one response: how much has come, and how much more may. The upstream is given room as its reader takes more. */
export class Download {
  readonly #window: ReceiveWindow;
  /** Bytes that have come. */
  #received = 0;
  /** Bytes, padding included, that the reader has not made room for yet. */
  #withheld = 0;
  #paused = false;

  constructor(streamId: number) {
    this.#window = new ReceiveWindow(limits.http2StreamWindowBytes, streamId);
  }

  /** The reader asks for no more. */
  get paused(): boolean {
    return this.#paused;
  }

  get received(): number {
    return this.#received;
  }

  /** A DATA frame of so many bytes, padding included. Throws an `Http2Error` when there was no room for it. */
  reserve(length: number): void {
    this.#window.receive(length);
  }

  count(bytes: number): void {
    this.#received += bytes;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
  }

  /** A DATA frame of so many bytes has been handed over; 0 after a pause. Returns by how much the window may grow. */
  release(length: number): number {
    this.#withheld += length;
    if (this.#paused) return 0;
    this.#window.consume(this.#withheld);
    this.#withheld = 0;
    return this.#window.takeIncrement();
  }
}
