import { limits } from "../../config/defaults.ts";
import { ConnectionFrames, violation } from "../../http2/connection-frames.ts";
import type { FrameBudget } from "../../http2/frame-budget.ts";
import { HeaderBlock } from "../../http2/header-block.ts";
import { type DecodedFields, HpackDecoder } from "../../http2/hpack/decoder.ts";
import { errorCode, flag, Http2Error } from "../../http2/protocol.ts";

/** The most fields of a head, as in Node's server. Fewer are configured for forwarding. */
const maxFields = 1_000;

/** An open stream, as its frames are read. */
export interface InputStream {
  readonly requestEnded: boolean;
  onDataFrame(length: number): void;
  onData(bytes: Buffer): void;
  onDataFrameEnd(overhead: number, endStream: boolean): void;
  onInputRead(): void;
}

/** The connection whose frames are read. */
export interface InputHost {
  /** An open stream. */
  stream(id: number): InputStream | undefined;
  /** The client has not opened the stream. */
  isIdle(id: number): boolean;
  /** A complete header block: a request, or the trailers of one. `fault`: it is malformed by its frames. */
  onHeaders(streamId: number, decoded: DecodedFields, endStream: boolean, fault: string | undefined): void;
  /** A frame that only an open stream may receive, on one that is closed. */
  onStray(streamId: number, what: "DATA" | "HEADERS"): void;
  onReset(streamId: number, code: number): void;
  /** A violation that concerns one stream. */
  onStreamError(error: Http2Error): void;
  onSettings(payload: Buffer): void;
  onPing(payload: Buffer, ack: boolean): void;
  onGoaway(): void;
  /** For the connection when `streamId` is 0. */
  onWindowUpdate(streamId: number, increment: number): void;
  sendWindowUpdate(increment: number): void;
}

/** Checks the frames of a client's connection against RFC 9113. Throws an `Http2Error` that ends the connection. */
export class ConnectionInput extends ConnectionFrames {
  readonly #host: InputHost;
  readonly #decoder: HpackDecoder;
  /** The block that is being received is malformed: its priority is. */
  #dependsOnItself = false;
  /** The stream of the DATA frame that is being read; undefined if its data is ignored. */
  #dataStream: InputStream | undefined;
  #dataLength = 0;
  #dataBytes = 0;
  #endStream = false;
  /** Streams that have received something from the bytes that are being read. */
  #touched: InputStream[] = [];

  constructor(host: InputHost, budget: FrameBudget, headBytes: number) {
    // Compression hardly enlarges names and values, so a head that is too large fails its request, not the connection.
    const block = new HeaderBlock(Math.max(limits.http2HeaderBlockBytes, 2 * headBytes));
    super(budget, block, limits.http2ClientWindowBytes);
    this.#host = host;
    this.#decoder = new HpackDecoder({ bytes: headBytes, fields: maxFields });
  }

  /** The client's SETTINGS have been received. */
  get settled(): boolean {
    return this.frames > 0;
  }

  /** The beginning of a header block was received. */
  get inHeaderBlock(): boolean {
    return this.block.streamId !== 0;
  }

  protected override isIdle(streamId: number): boolean {
    return this.#host.isIdle(streamId);
  }

  protected override onDataBegin(streamId: number, length: number, endStream: boolean): void {
    this.#dataLength = length;
    this.#dataBytes = 0;
    this.#endStream = endStream;
    this.#dataStream = this.#receiverOfData(streamId, length);
  }

  override onDataBytes(bytes: Buffer): void {
    this.#dataBytes += bytes.length;
    this.#dataStream?.onData(bytes);
  }

  override onDataEnd(): void {
    const stream = this.#dataStream;
    this.#dataStream = undefined;
    // A useless frame costs work and makes no progress.
    if (stream === undefined || (this.#dataBytes === 0 && !this.#endStream)) this.budget.spend();
    else this.budget.earn();
    if (stream === undefined) return;
    stream.onDataFrameEnd(this.#dataLength - this.#dataBytes, this.#endStream);
    if (this.#touched.at(-1) !== stream) this.#touched.push(stream);
  }

  /** All bytes received so far have been read. */
  flush(): void {
    const touched = this.#touched;
    if (touched.length === 0) return;
    this.#touched = [];
    for (const stream of touched) stream.onInputRead();
  }

  #receiverOfData(streamId: number, length: number): InputStream | undefined {
    const stream = this.#host.stream(streamId);
    if (stream === undefined) {
      this.#host.onStray(streamId, "DATA");
      return undefined;
    }
    try {
      if (stream.requestEnded) throw closedError("DATA", streamId);
      stream.onDataFrame(length);
      return stream;
    } catch (error) {
      if (!(error instanceof Http2Error) || error.streamId === 0) throw error;
      this.#host.onStreamError(error);
      return undefined;
    }
  }

  protected override onHeaders(flags: number, streamId: number, payload: Buffer): void {
    // Streams of a client have odd numbers (RFC 9113 section 5.1.1).
    if (streamId % 2 === 0) throw violation("HEADERS of a stream that a client cannot open");
    this.#dependsOnItself = dependencyOf(flags, payload) === streamId;
    this.onBlock(streamId, this.block.begin(streamId, flags, payload));
  }

  protected override onBlock(streamId: number, block: Buffer | undefined): void {
    if (block === undefined) return;
    // Decoded even if the stream is closed, since the next block depends on it.
    const decoded = this.#decoder.decode(block);
    this.budget.earn();
    const stream = this.#host.stream(streamId);
    if (stream === undefined && !this.#host.isIdle(streamId)) return this.#host.onStray(streamId, "HEADERS");
    if (stream?.requestEnded === true) return this.#host.onStreamError(closedError("HEADERS", streamId));
    const fault = this.#dependsOnItself ? selfDependency : undefined;
    this.#host.onHeaders(streamId, decoded, this.block.endStream, fault);
    if (stream !== undefined) this.#touched.push(stream);
  }

  /** Priorities are ignored (RFC 9113 section 5.3.2), but their frames are checked. */
  protected override onPriority(streamId: number, payload: Buffer): void {
    if (payload.length !== 5) {
      const message = "a PRIORITY frame of the wrong length";
      return this.#host.onStreamError(new Http2Error(errorCode.frameSizeError, message, streamId));
    }
    if ((payload.readUInt32BE(0) & 0x7fff_ffff) !== streamId) return;
    this.#host.onStreamError(new Http2Error(errorCode.protocolError, selfDependency, streamId));
  }

  protected override onReset(streamId: number, code: number): void {
    if (this.#host.stream(streamId) === undefined) this.budget.spend();
    else this.#host.onReset(streamId, code);
  }

  protected override onSettings(payload: Buffer): void {
    this.#host.onSettings(payload);
  }

  protected override onPing(payload: Buffer, ack: boolean): void {
    this.#host.onPing(payload, ack);
  }

  protected override onGoaway(): void {
    this.#host.onGoaway();
  }

  protected override onWindowUpdate(streamId: number, increment: number): void {
    // Those that follow our DATA frames are expected.
    this.budget.spend();
    try {
      this.#host.onWindowUpdate(streamId, increment);
    } catch (error) {
      if (!(error instanceof Http2Error) || error.streamId === 0) throw error;
      this.#host.onStreamError(error);
    }
  }

  protected override sendWindowUpdate(increment: number): void {
    this.#host.sendWindowUpdate(increment);
  }
}

/** The stream that a HEADERS frame depends on; undefined when it has no priority. */
function dependencyOf(flags: number, payload: Buffer): number | undefined {
  if ((flags & flag.priority) === 0) return undefined;
  const at = (flags & flag.padded) === 0 ? 0 : 1;
  return payload.length < at + 4 ? undefined : payload.readUInt32BE(at) & 0x7fff_ffff;
}

/** RFC 7540 section 5.3.1. RFC 9113 has no priorities, but keeps their frames. */
const selfDependency = "a stream that depends on itself";

function closedError(what: string, streamId: number): Http2Error {
  return new Http2Error(errorCode.streamClosed, `${what} behind the end of a request`, streamId);
}
