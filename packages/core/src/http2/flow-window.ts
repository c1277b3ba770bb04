import { errorCode, Http2Error, maxWindowBytes } from "./protocol.ts";

/** The bytes that may still be sent on a stream or a connection. A change of settings can make the window negative. */
export class SendWindow {
  available: number;
  readonly #streamId: number;

  constructor(bytes: number, streamId: number) {
    this.available = bytes;
    this.#streamId = streamId;
  }

  take(bytes: number): void {
    this.available -= bytes;
  }

  /** A WINDOW_UPDATE of the peer (RFC 9113 section 6.9.1). */
  increase(bytes: number): void {
    if (bytes === 0) throw new Http2Error(errorCode.protocolError, "a WINDOW_UPDATE of 0", this.#streamId);
    if (this.available + bytes > maxWindowBytes) {
      throw new Http2Error(errorCode.flowControlError, "a window above its maximum", this.#streamId);
    }
    this.available += bytes;
  }

  /** The peer has changed its initial window by `bytes`. An overflow ends the connection (RFC 9113 section 6.9.2). */
  shift(bytes: number): void {
    this.available += bytes;
    if (this.available > maxWindowBytes) {
      throw new Http2Error(errorCode.flowControlError, "a window above its maximum");
    }
  }
}

/** The bytes that the peer may still send, and the consumed bytes that have not been given back to it. */
export class ReceiveWindow {
  #bytes: number;
  readonly #streamId: number;
  #left: number;
  #consumed = 0;

  constructor(bytes: number, streamId: number) {
    this.#bytes = bytes;
    this.#streamId = streamId;
    this.#left = bytes;
  }

  receive(bytes: number): void {
    if (bytes > this.#left)
      throw new Http2Error(errorCode.flowControlError, "more data than the window allows", this.#streamId);
    this.#left -= bytes;
  }

  /** Marks received bytes as consumed. */
  consume(bytes: number): void {
    this.#consumed += bytes;
  }

  /** Enlarges the window to `bytes`, if it is smaller. The next increment includes the difference. */
  growTo(bytes: number): void {
    if (bytes <= this.#bytes) return;
    this.#consumed += bytes - this.#bytes;
    this.#bytes = bytes;
  }

  /** Returns the increment of a WINDOW_UPDATE to send; 0 while less than half of the window has been consumed. */
  takeIncrement(): number {
    if (this.#consumed * 2 < this.#bytes) return 0;
    const increment = this.#consumed;
    this.#consumed = 0;
    this.#left += increment;
    return increment;
  }
}
