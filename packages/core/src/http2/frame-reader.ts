import { defaultFrameBytes, errorCode, flag, frameHeaderBytes, frameType, Http2Error } from "./protocol.ts";

/** Receives frames in order. A method may throw; the reader is useless from then on. */
export interface FrameSink {
  /** A DATA frame begins. `length` is the one for flow control: its payload with padding. */
  onData(streamId: number, length: number, endStream: boolean): void;
  /** A part of its data, valid during the call. */
  onDataBytes(bytes: Buffer): void;
  /** The DATA frame is complete. */
  onDataEnd(): void;
  /** Any other frame. The payload is complete and valid during the call; that of an unknown type is empty. */
  onFrame(type: number, flags: number, streamId: number, payload: Buffer): void;
}

type State = "header" | "padding-length" | "data" | "padding" | "payload" | "unknown" | "stopped";

const none = Buffer.alloc(0);

/**
 * Parses frames at any split of their bytes (RFC 9113 section 4.1).
 *
 * The data of a DATA frame is passed on as received, without a copy. Any other frame is buffered until it is complete: at most
 * the frame size that we announce, which is the default. A longer frame of any type throws an `Http2Error`.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #header = Buffer.allocUnsafe(frameHeaderBytes);
  #headerLength = 0;
  #state: State = "header";
  #type = 0;
  #flags = 0;
  #streamId = 0;
  /** Remaining bytes of the payload, or of the data in it. */
  #left = 0;
  #paddingLeft = 0;
  /** The part of a payload that has been received. */
  #partial: Buffer | undefined;
  #partialLength = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Ignores all further bytes, those that are being read included. */
  stop(): void {
    this.#state = "stopped";
    this.#partial = undefined;
  }

  /** A frame has been received in part, other than DATA. */
  get incomplete(): boolean {
    return this.#headerLength > 0 || this.#state === "payload";
  }

  execute(bytes: Buffer): void {
    let position = 0;
    while (position < bytes.length) {
      switch (this.#state) {
        case "header":
          position = this.#readHeader(bytes, position);
          break;
        case "padding-length":
          this.#readPaddingLength(bytes[position++] as number);
          break;
        case "data":
          position = this.#readData(bytes, position);
          break;
        case "payload":
          position = this.#readPayload(bytes, position);
          break;
        case "padding":
        case "unknown":
          position = this.#skip(bytes, position);
          break;
        case "stopped":
          return;
      }
    }
  }

  #readHeader(bytes: Buffer, start: number): number {
    if (this.#headerLength === 0 && bytes.length - start >= frameHeaderBytes) {
      this.#begin(bytes, start);
      return start + frameHeaderBytes;
    }
    const taken = bytes.copy(this.#header, this.#headerLength, start, start + frameHeaderBytes - this.#headerLength);
    this.#headerLength += taken;
    if (this.#headerLength === frameHeaderBytes) {
      this.#headerLength = 0;
      this.#begin(this.#header, 0);
    }
    return start + taken;
  }

  #begin(header: Buffer, at: number): void {
    const length = header.readUIntBE(at, 3);
    this.#type = header[at + 3] as number;
    this.#flags = header[at + 4] as number;
    // The first bit is reserved and ignored.
    this.#streamId = header.readUInt32BE(at + 5) & 0x7fff_ffff;
    if (length > defaultFrameBytes) {
      throw new Http2Error(errorCode.frameSizeError, `a frame of ${length} bytes, of type ${this.#type}`);
    }
    this.#left = length;
    if (this.#type === frameType.data) return this.#beginData(length);
    if (this.#type > frameType.continuation) {
      this.#state = length === 0 ? "header" : "unknown";
      return this.#sink.onFrame(this.#type, this.#flags, this.#streamId, none);
    }
    this.#state = "payload";
    if (length === 0) this.#end(none);
  }

  #beginData(length: number): void {
    const padded = (this.#flags & flag.padded) !== 0;
    if (padded && length === 0)
      throw new Http2Error(errorCode.frameSizeError, "a padded frame without the length of its padding");
    this.#paddingLeft = 0;
    this.#state = padded ? "padding-length" : "data";
    this.#sink.onData(this.#streamId, length, (this.#flags & flag.endStream) !== 0);
    if (length === 0) this.#endData();
  }

  #readPaddingLength(length: number): void {
    this.#left--;
    if (length > this.#left) throw new Http2Error(errorCode.protocolError, "more padding than payload");
    this.#left -= length;
    this.#paddingLeft = length;
    this.#state = "data";
    if (this.#left === 0) this.#endOfData();
  }

  #readData(bytes: Buffer, start: number): number {
    const end = Math.min(bytes.length, start + this.#left);
    this.#left -= end - start;
    this.#sink.onDataBytes(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end));
    if (this.#left === 0) this.#endOfData();
    return end;
  }

  #endOfData(): void {
    if (this.#state === "stopped") return;
    this.#left = this.#paddingLeft;
    if (this.#left === 0) this.#endData();
    else this.#state = "padding";
  }

  #endData(): void {
    if (this.#state === "stopped") return;
    this.#state = "header";
    this.#sink.onDataEnd();
  }

  #skip(bytes: Buffer, start: number): number {
    const end = Math.min(bytes.length, start + this.#left);
    this.#left -= end - start;
    if (this.#left > 0) return end;
    if (this.#state === "padding") this.#endData();
    else this.#state = "header";
    return end;
  }

  #readPayload(bytes: Buffer, start: number): number {
    const end = start + this.#left;
    if (this.#partial === undefined && end <= bytes.length) {
      this.#end(bytes.subarray(start, end));
      return end;
    }
    this.#partial ??= Buffer.allocUnsafe(this.#left);
    const taken = bytes.copy(
      this.#partial,
      this.#partialLength,
      start,
      Math.min(end - this.#partialLength, bytes.length),
    );
    this.#partialLength += taken;
    if (this.#partialLength === this.#partial.length) {
      const whole = this.#partial;
      this.#partial = undefined;
      this.#partialLength = 0;
      this.#end(whole);
    }
    return start + taken;
  }

  #end(payload: Buffer): void {
    this.#state = "header";
    this.#sink.onFrame(this.#type, this.#flags, this.#streamId, payload);
  }
}
