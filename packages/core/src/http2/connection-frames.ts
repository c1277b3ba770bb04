import { ReceiveWindow } from "./flow-window.ts";
import type { FrameBudget } from "./frame-budget.ts";
import type { FrameSink } from "./frame-reader.ts";
import type { HeaderBlock } from "./header-block.ts";
import { errorCode, flag, frameType, Http2Error } from "./protocol.ts";

/**
 * The checks of RFC 9113 for the frames of a connection that are the same for clients and upstreams. A subclass has the streams.
 * Throws an `Http2Error` that ends the connection.
 */
export abstract class ConnectionFrames implements FrameSink {
  /** Frames received. */
  frames = 0;
  /** The stream of the last frame. */
  streamId = 0;
  protected readonly budget: FrameBudget;
  protected readonly block: HeaderBlock;
  readonly #window: ReceiveWindow;

  constructor(budget: FrameBudget, block: HeaderBlock, windowBytes: number) {
    this.budget = budget;
    this.block = block;
    this.#window = new ReceiveWindow(windowBytes, 0);
  }

  abstract onDataBytes(bytes: Buffer): void;
  abstract onDataEnd(): void;
  /** The stream has not been opened. */
  protected abstract isIdle(streamId: number): boolean;
  protected abstract onDataBegin(streamId: number, length: number, endStream: boolean): void;
  protected abstract onHeaders(flags: number, streamId: number, payload: Buffer): void;
  /** A frame has added to the header block of a stream, which is complete unless undefined. */
  protected abstract onBlock(streamId: number, block: Buffer | undefined): void;
  protected abstract onPriority(streamId: number, payload: Buffer): void;
  /** For a stream that is open or closed. */
  protected abstract onReset(streamId: number, code: number): void;
  protected abstract onSettings(payload: Buffer): void;
  protected abstract onPing(payload: Buffer, ack: boolean): void;
  protected abstract onGoaway(lastStreamId: number, code: number): void;
  /** For the connection when `streamId` is 0. */
  protected abstract onWindowUpdate(streamId: number, increment: number): void;
  protected abstract sendWindowUpdate(increment: number): void;

  onData(streamId: number, length: number, endStream: boolean): void {
    this.#begin(frameType.data, streamId, 0);
    if (streamId === 0) throw violation("DATA without a stream");
    if (this.isIdle(streamId)) throw violation("DATA on an idle stream");
    this.#window.receive(length);
    // Backpressure is up to the window of each stream: a stream that is not read must not stop the others.
    this.#window.consume(length);
    const increment = this.#window.takeIncrement();
    if (increment > 0) this.sendWindowUpdate(increment);
    this.onDataBegin(streamId, length, endStream);
  }

  onFrame(type: number, flags: number, streamId: number, payload: Buffer): void {
    this.#begin(type, streamId, flags);
    switch (type) {
      case frameType.headers:
        return this.onHeaders(flags, streamId, payload);
      case frameType.continuation:
        return this.onBlock(streamId, this.block.continue(streamId, flags, payload));
      case frameType.priority:
        if (streamId === 0) throw violation("PRIORITY without a stream");
        this.budget.spend();
        return this.onPriority(streamId, payload);
      case frameType.rstStream:
        if (payload.length !== 4) throw wrongSize("RST_STREAM");
        if (streamId === 0 || this.isIdle(streamId)) throw violation("RST_STREAM on an idle stream");
        return this.onReset(streamId, payload.readUInt32BE(0));
      case frameType.settings:
        return this.#onSettings(flags, streamId, payload);
      case frameType.ping:
        if (streamId !== 0) throw violation("PING of a stream");
        if (payload.length !== 8) throw wrongSize("PING");
        this.budget.spend();
        return this.onPing(payload, (flags & flag.ack) !== 0);
      case frameType.goaway:
        if (streamId !== 0) throw violation("GOAWAY of a stream");
        if (payload.length < 8) throw wrongSize("GOAWAY");
        this.budget.spend();
        return this.onGoaway(payload.readUInt32BE(0) & 0x7fff_ffff, payload.readUInt32BE(4));
      case frameType.windowUpdate:
        if (payload.length !== 4) throw wrongSize("WINDOW_UPDATE");
        if (streamId !== 0 && this.isIdle(streamId)) throw violation("WINDOW_UPDATE on an idle stream");
        return this.onWindowUpdate(streamId, payload.readUInt32BE(0) & 0x7fff_ffff);
      case frameType.pushPromise:
        // Clients may not push, and our settings disable it for upstreams.
        throw violation("a push");
      default:
        // Extensions are ignored (RFC 9113 section 5.5).
        this.budget.spend();
    }
  }

  /** Checks for every frame: SETTINGS is the first, and no frame interrupts a header block. */
  #begin(type: number, streamId: number, flags: number): void {
    const first = this.frames++ === 0;
    this.streamId = streamId;
    if (first && (type !== frameType.settings || (flags & flag.ack) !== 0)) {
      throw violation("a connection that does not begin with SETTINGS");
    }
    if (this.block.streamId !== 0 && type !== frameType.continuation) throw violation("a frame within a header block");
  }

  #onSettings(flags: number, streamId: number, payload: Buffer): void {
    if (streamId !== 0) throw violation("SETTINGS of a stream");
    this.budget.spend();
    if ((flags & flag.ack) === 0) return this.onSettings(payload);
    if (payload.length !== 0) throw wrongSize("SETTINGS");
  }
}

/** A violation that ends the connection. */
export function violation(message: string): Http2Error {
  return new Http2Error(errorCode.protocolError, message);
}

function wrongSize(frame: string): Http2Error {
  return new Http2Error(errorCode.frameSizeError, `a ${frame} frame of the wrong length`);
}
