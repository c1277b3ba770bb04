import { limits } from "../../config/defaults.ts";
import type { HeadLimits } from "../../config/resolved.ts";
import { ConnectionFrames, violation } from "../../http2/connection-frames.ts";
import type { FrameBudget } from "../../http2/frame-budget.ts";
import { HeaderBlock } from "../../http2/header-block.ts";
import { HpackDecoder } from "../../http2/hpack/decoder.ts";
import { errorCode, Http2Error } from "../../http2/protocol.ts";
import type { InputHost } from "./session-roles.ts";
import type { Http2Stream } from "./stream.ts";

/** Window increments below this count as useless frames: they cost more than they allow to send. */
const smallIncrement = 256;

/** Checks the frames of a connection to an upstream against RFC 9113. Throws an `Http2Error` that ends the connection. */
export class SessionInput extends ConnectionFrames {
  readonly #host: InputHost;
  readonly #decoder: HpackDecoder;
  /** The stream of the DATA frame that is being read; undefined if its data is ignored. */
  #dataStream: Http2Stream | undefined;
  #dataLength = 0;
  #dataBytes = 0;
  #endStream = false;
  /** Streams that have received something from the bytes that are being read. */
  #touched: Http2Stream[] = [];

  constructor(host: InputHost, budget: FrameBudget, responseHead: HeadLimits) {
    // Compression hardly enlarges names and values, so a head that is too large fails its stream, not the connection.
    const block = new HeaderBlock(Math.max(limits.http2HeaderBlockBytes, 2 * responseHead.bytes));
    super(budget, block, limits.http2ConnectionWindowBytes);
    this.#host = host;
    this.#decoder = new HpackDecoder(responseHead);
  }

  protected override isIdle(streamId: number): boolean {
    return this.#host.isIdle(streamId);
  }

  protected override onDataBegin(streamId: number, length: number, endStream: boolean): void {
    this.#dataLength = length;
    this.#dataBytes = 0;
    this.#endStream = endStream;
    this.#dataStream = this.#openStream(streamId, "DATA");
    if (this.#dataStream === undefined) return;
    try {
      this.#dataStream.onData(length);
    } catch (error) {
      this.#failStream(this.#dataStream, error);
    }
  }

  override onDataBytes(bytes: Buffer): void {
    const stream = this.#dataStream;
    this.#dataBytes += bytes.length;
    if (stream === undefined) return;
    stream.onBytes(bytes);
    this.#touch(stream);
  }

  override onDataEnd(): void {
    const stream = this.#dataStream;
    this.#dataStream = undefined;
    if (this.#dataBytes === 0 && (stream === undefined || !this.#endStream)) this.budget.spend();
    else if (stream !== undefined) this.budget.earn();
    stream?.onDataEnd(this.#dataLength, this.#endStream);
  }

  /** All bytes received so far have been read. */
  flush(): void {
    const touched = this.#touched;
    if (touched.length > 0) this.#touched = [];
    for (const stream of touched) stream.onFlush();
  }

  #touch(stream: Http2Stream): void {
    if (!stream.over && this.#touched.at(-1) !== stream) this.#touched.push(stream);
  }

  protected override onHeaders(flags: number, streamId: number, payload: Buffer): void {
    if (streamId === 0 || this.#host.isIdle(streamId)) throw violation("HEADERS on an idle stream");
    this.onBlock(streamId, this.block.begin(streamId, flags, payload));
  }

  protected override onBlock(streamId: number, block: Buffer | undefined): void {
    if (block === undefined) return;
    // Decoded even if the stream is closed, since the next block depends on it.
    const decoded = this.#decoder.decode(block);
    const stream = this.#openStream(streamId, "HEADERS");
    if (stream === undefined) return this.budget.spend();
    this.budget.earn();
    stream.onFields(decoded, this.block.endStream);
    this.#touch(stream);
  }

  /** Priorities are ignored (RFC 9113 section 5.3.2), but their frames are checked. */
  protected override onPriority(streamId: number, payload: Buffer): void {
    if (payload.length === 5) return;
    const error = new Http2Error(errorCode.frameSizeError, "a PRIORITY frame of the wrong length", streamId);
    const stream = this.#host.stream(streamId);
    if (stream === undefined) throw error;
    this.#host.failStream(stream, error);
  }

  protected override onReset(streamId: number, code: number): void {
    const stream = this.#host.stream(streamId);
    if (stream === undefined) this.budget.spend();
    else stream.onReset(code);
  }

  protected override onSettings(payload: Buffer): void {
    this.#host.onSettings(payload);
  }

  protected override onPing(payload: Buffer, ack: boolean): void {
    if (!ack) this.#host.output.ping(payload, true);
  }

  protected override onGoaway(lastStreamId: number, code: number): void {
    this.#host.onGoaway(lastStreamId, code);
  }

  protected override sendWindowUpdate(increment: number): void {
    this.#host.output.windowUpdate(0, increment);
  }

  protected override onWindowUpdate(streamId: number, increment: number): void {
    if (increment < smallIncrement) this.budget.spend();
    if (streamId === 0) return this.#host.output.onWindowUpdate(increment);
    const stream = this.#host.stream(streamId);
    if (stream === undefined) return;
    try {
      stream.onWindowUpdate(increment);
    } catch (error) {
      this.#failStream(stream, error);
    }
  }

  /**
   * Returns the open stream of a frame. Frames of a closed one are ignored (RFC 9113 section 5.1): they may have been in flight
   * when we reset it, and nginx sometimes sends an empty DATA frame behind END_STREAM.
   */
  #openStream(streamId: number, what: string): Http2Stream | undefined {
    if (this.#host.isIdle(streamId)) throw violation(`${what} on an idle stream`);
    return this.#host.stream(streamId);
  }

  /** Fails the stream if the error concerns it alone; otherwise throws the error, which ends the connection. */
  #failStream(stream: Http2Stream, error: unknown): void {
    if (!(error instanceof Http2Error) || error.streamId === 0) throw error;
    this.#host.failStream(stream, error);
  }
}
