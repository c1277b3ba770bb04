import { limits } from "../../config/defaults.ts";
import { ReceiveWindow } from "../../http2/flow-window.ts";

/** Flow control of one response body: counts what was received, and enlarges the window as the reader consumes it. */
export class Download {
  readonly #window: ReceiveWindow;
  /** Bytes received. */
  #received = 0;
  /** Bytes, padding included, that have not been given back to the window because the reader has paused. */
  #withheld = 0;
  #paused = false;

  constructor(streamId: number) {
    this.#window = new ReceiveWindow(limits.http2StreamWindowBytes, streamId);
  }

  /** The reader has paused the response. */
  get paused(): boolean {
    return this.#paused;
  }

  get received(): number {
    return this.#received;
  }

  /** Takes a DATA frame of `length` bytes, padding included, from the window. Throws an `Http2Error` if it exceeds the window. */
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

  /** The reader has received a DATA frame of `length` bytes; 0 after a pause. Returns the increment for the window. */
  release(length: number): number {
    this.#withheld += length;
    if (this.#paused) return 0;
    this.#window.consume(this.#withheld);
    this.#withheld = 0;
    return this.#window.takeIncrement();
  }
}
