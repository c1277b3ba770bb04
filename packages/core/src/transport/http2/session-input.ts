import { limits } from "../../config/defaults.ts";
import type { HeadLimits } from "../../config/resolved.ts";
import { ReceiveWindow } from "../../http2/flow-window.ts";
import type { FrameBudget } from "../../http2/frame-budget.ts";
import type { FrameSink } from "../../http2/frame-reader.ts";
import { HeaderBlock } from "../../http2/header-block.ts";
import { HpackDecoder } from "../../http2/hpack/decoder.ts";
import { errorCode, flag, frameType, Http2Error } from "../../http2/protocol.ts";
import type { InputHost } from "./session-roles.ts";
import type { Http2Stream } from "./stream.ts";

/** Window increments below this count as useless frames: they cost more than they allow to send. */
const smallIncrement = 256;

/** Checks the frames of a connection to an upstream against RFC 9113. Throws an `Http2Error` that ends the connection. */
export class SessionInput implements FrameSink {
  /** Frames received. */
  frames = 0;
  /** The stream of the last frame. */
  streamId = 0;
  readonly #host: InputHost;
  readonly #budget: FrameBudget;
  readonly #window = new ReceiveWindow(limits.http2ConnectionWindowBytes, 0);
  readonly #block: HeaderBlock;
  readonly #decoder: HpackDecoder;
  /** The stream of the DATA frame that is being read; undefined if its data is ignored. */
  #dataStream: Http2Stream | undefined;
  #dataLength = 0;
  #dataBytes = 0;
  #endStream = false;
  /** Streams that have received something from the bytes that are being read. */
  #touched: Http2Stream[] = [];

  constructor(host: InputHost, budget: FrameBudget, responseHead: HeadLimits) {
    this.#host = host;
    this.#budget = budget;
    // Compression hardly enlarges names and values, so a head that is too large fails its stream, not the connection.
    this.#block = new HeaderBlock(Math.max(limits.http2HeaderBlockBytes, 2 * responseHead.bytes));
    this.#decoder = new HpackDecoder(responseHead);
  }

  onData(streamId: number, length: number, endStream: boolean): void {
    this.#begin(frameType.data, streamId, 0);
    if (streamId === 0) throw violation("DATA without a stream");
    this.#window.receive(length);
    // Backpressure is up to the window of each stream: a stream that is not read must not stop the others.
    this.#window.consume(length);
    const increment = this.#window.takeIncrement();
    if (increment > 0) this.#host.output.windowUpdate(0, increment);
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

  onDataBytes(bytes: Buffer): void {
    const stream = this.#dataStream;
    this.#dataBytes += bytes.length;
    if (stream === undefined) return;
    stream.onBytes(bytes);
    this.#touch(stream);
  }

  onDataEnd(): void {
    const stream = this.#dataStream;
    this.#dataStream = undefined;
    if (this.#dataBytes === 0 && (stream === undefined || !this.#endStream)) this.#budget.spend();
    else if (stream !== undefined) this.#budget.earn();
    stream?.onDataEnd(this.#dataLength, this.#endStream);
  }

  onFrame(type: number, flags: number, streamId: number, payload: Buffer): void {
    this.#begin(type, streamId, flags);
    switch (type) {
      case frameType.headers:
        return this.#onHeaders(flags, streamId, payload);
      case frameType.continuation:
        return this.#onBlock(streamId, this.#block.continue(streamId, flags, payload));
      case frameType.priority:
        return this.#onPriority(streamId, payload);
      case frameType.rstStream:
        return this.#onReset(streamId, payload);
      case frameType.settings:
        return this.#onSettings(flags, streamId, payload);
      case frameType.ping:
        return this.#onPing(flags, streamId, payload);
      case frameType.goaway:
        return this.#onGoaway(streamId, payload);
      case frameType.windowUpdate:
        return this.#onWindowUpdate(streamId, payload);
      case frameType.pushPromise:
        throw violation("a push although our settings disable it");
      default:
        // Extensions are ignored (RFC 9113 section 5.5).
        this.#budget.spend();
    }
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

  /** Checks for every frame: SETTINGS is the first, and no frame interrupts a header block. */
  #begin(type: number, streamId: number, flags: number): void {
    const first = this.frames++ === 0;
    this.streamId = streamId;
    if (first && (type !== frameType.settings || (flags & flag.ack) !== 0)) {
      throw violation("a connection that does not begin with SETTINGS");
    }
    if (this.#block.streamId !== 0 && type !== frameType.continuation) throw violation("a frame within a header block");
  }

  #onHeaders(flags: number, streamId: number, payload: Buffer): void {
    if (streamId === 0 || this.#host.isIdle(streamId)) throw violation("HEADERS on an idle stream");
    this.#onBlock(streamId, this.#block.begin(streamId, flags, payload));
  }

  #onBlock(streamId: number, block: Buffer | undefined): void {
    if (block === undefined) return;
    // Decoded even if the stream is closed, since the next block depends on it.
    const decoded = this.#decoder.decode(block);
    const stream = this.#openStream(streamId, "HEADERS");
    if (stream === undefined) return this.#budget.spend();
    this.#budget.earn();
    stream.onFields(decoded, this.#block.endStream);
    this.#touch(stream);
  }

  /** Priorities are ignored (RFC 9113 section 5.3.2), but their frames are checked. */
  #onPriority(streamId: number, payload: Buffer): void {
    if (streamId === 0) throw violation("PRIORITY without a stream");
    this.#budget.spend();
    if (payload.length === 5) return;
    const error = new Http2Error(errorCode.frameSizeError, "a PRIORITY frame of the wrong length", streamId);
    const stream = this.#host.stream(streamId);
    if (stream === undefined) throw error;
    this.#host.failStream(stream, error);
  }

  #onReset(streamId: number, payload: Buffer): void {
    if (payload.length !== 4) throw wrongSize("RST_STREAM");
    if (streamId === 0 || this.#host.isIdle(streamId)) throw violation("RST_STREAM on an idle stream");
    const stream = this.#host.stream(streamId);
    if (stream === undefined) this.#budget.spend();
    else stream.onReset(payload.readUInt32BE(0));
  }

  #onSettings(flags: number, streamId: number, payload: Buffer): void {
    if (streamId !== 0) throw violation("SETTINGS of a stream");
    this.#budget.spend();
    if ((flags & flag.ack) === 0) return this.#host.onSettings(payload);
    if (payload.length !== 0) throw wrongSize("SETTINGS");
  }

  #onPing(flags: number, streamId: number, payload: Buffer): void {
    if (streamId !== 0) throw violation("PING of a stream");
    if (payload.length !== 8) throw wrongSize("PING");
    this.#budget.spend();
    if ((flags & flag.ack) === 0) this.#host.output.ping(payload, true);
  }

  #onGoaway(streamId: number, payload: Buffer): void {
    if (streamId !== 0) throw violation("GOAWAY of a stream");
    if (payload.length < 8) throw wrongSize("GOAWAY");
    this.#budget.spend();
    this.#host.onGoaway(payload.readUInt32BE(0) & 0x7fff_ffff, payload.readUInt32BE(4));
  }

  #onWindowUpdate(streamId: number, payload: Buffer): void {
    if (payload.length !== 4) throw wrongSize("WINDOW_UPDATE");
    const increment = payload.readUInt32BE(0) & 0x7fff_ffff;
    if (increment < smallIncrement) this.#budget.spend();
    if (streamId === 0) return this.#host.output.onWindowUpdate(increment);
    if (this.#host.isIdle(streamId)) throw violation("WINDOW_UPDATE on an idle stream");
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

function violation(message: string): Http2Error {
  return new Http2Error(errorCode.protocolError, message);
}

function wrongSize(frame: string): Http2Error {
  return new Http2Error(errorCode.frameSizeError, `a ${frame} frame of the wrong length`);
}
