import type { Duplex } from "node:stream";
import { limits } from "../../config/defaults.ts";
import { SendWindow } from "../../http2/flow-window.ts";
import { FrameBatch } from "../../http2/frame-batch.ts";
import type { FrameBudget } from "../../http2/frame-budget.ts";
import {
  goawayFrame,
  headersFrames,
  pingFrame,
  rstStreamFrame,
  settingsAckFrame,
  settingsFrame,
  windowUpdateFrame,
} from "../../http2/frame-writer.ts";
import { HpackEncoder } from "../../http2/hpack/encoder.ts";
import { defaultFrameBytes, defaultWindowBytes, flag, frameType } from "../../http2/protocol.ts";
import { WaitingBodies, type WaitingBody } from "../../http2/waiting-bodies.ts";
import { type Flushable, writeBatch } from "../server/write-batch.ts";

/** The body of a response, of which a part may wait for a window or the socket. */
export interface QueuedBody extends WaitingBody {
  readonly streamId: number;
  readonly window: SendWindow;
}

/** A stream whose last frame is in a batch: exactly one of the two is called. */
export interface SentListener {
  /** The socket has taken the frame. */
  onSent(): void;
  /** The connection has closed before. */
  onUnsent(): void;
}

/** The connection that frames are sent on. */
export interface OutputOwner {
  /** The socket needs to drain. */
  onOutputStalled(): void;
  /** The peer does not read, and too many frames wait for it. Called within a call of an exchange. */
  onOutputStuck(): void;
}

/** Bytes of frames that are batched into one write to the socket within one turn. */
const maxBatchedBytes = 65_536;
const noListeners: readonly SentListener[] = [];

/**
 * The sending half of a client's connection. The frames of one turn of the event loop are batched into one write. Bodies share
 * the connection's window and the socket, one frame each in turn.
 */
export class ConnectionOutput implements Flushable {
  /** The connection's window. */
  readonly window: SendWindow = new SendWindow(defaultWindowBytes, 0);
  readonly #socket: Duplex;
  readonly #budget: FrameBudget;
  readonly #owner: OutputOwner;
  readonly #encoder = new HpackEncoder();
  readonly #batch = new FrameBatch();
  #scheduled = false;
  #closed = false;
  /** The streams whose last frame is in the batch, and those of the batches that the socket has not taken yet. */
  #ended: SentListener[] = [];
  readonly #writing: (readonly SentListener[])[] = [];
  readonly #waiting = new WaitingBodies<QueuedBody>();

  constructor(socket: Duplex, owner: OutputOwner, budget: FrameBudget) {
    this.#socket = socket;
    this.#owner = owner;
    this.#budget = budget;
  }

  /** The socket needs to drain. */
  get blocked(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** Bytes that were not taken by the kernel yet. */
  get pendingBytes(): number {
    return this.#socket.writableLength + this.#batch.length;
  }

  settings(values: readonly number[]): void {
    this.#frame(settingsFrame(values));
  }

  settingsAck(): void {
    this.#frame(settingsAckFrame());
  }

  windowUpdate(streamId: number, increment: number): void {
    this.#frame(windowUpdateFrame(streamId, increment));
  }

  ping(data: Buffer, ack: boolean): void {
    this.#frame(pingFrame(data, ack));
  }

  reset(streamId: number, code: number): void {
    this.#frame(rstStreamFrame(streamId, code));
  }

  goaway(lastStreamId: number, code: number): void {
    this.#frame(goawayFrame(lastStreamId, code));
  }

  /** Sends a head with its status, or trailers without one: alternating names in lower case and values. */
  headers(streamId: number, status: number, fields: readonly string[], endStream: boolean): void {
    if (this.#closed) return;
    this.#encoder.begin();
    if (status > 0) this.#encoder.add(":status", String(status));
    for (let index = 0; index < fields.length; index += 2) {
      this.#encoder.add(fields[index] as string, fields[index + 1] as string);
    }
    const block = this.#encoder.end();
    if (block.length > defaultFrameBytes) return this.#frame(headersFrames(streamId, block, endStream));
    this.#batch.beginFrame(
      frameType.headers,
      flag.endHeaders | (endStream ? flag.endStream : 0),
      streamId,
      block.length,
    );
    this.#batch.add(block);
    this.#schedule();
    this.#checkPending();
  }

  /** The peer has set the size of its HPACK table. */
  resizeTable(bytes: number): void {
    this.#encoder.resize(bytes);
  }

  /**
   * Sends as much of a piece of a body as the windows and the socket allow, and returns the number of bytes. With `isLast`, the
   * frame of the last byte ends the stream.
   */
  data(body: QueuedBody, chunk: Uint8Array, start: number, isLast: boolean): number {
    let position = start;
    while (position < chunk.length && !this.blocked && !this.#closed) {
      const room = Math.min(this.window.available, body.window.available, defaultFrameBytes);
      if (room <= 0) break;
      const end = Math.min(chunk.length, position + room);
      this.#beginData(body, end - position, isLast && end === chunk.length);
      this.#batch.add(position === 0 && end === chunk.length ? chunk : chunk.subarray(position, end));
      position = end;
      if (this.#batch.length >= maxBatchedBytes) this.write();
      if (this.#waiting.running) break;
    }
    return position - start;
  }

  /** Sends a whole Latin-1 text in one frame that ends the stream. False when it has to wait. */
  text(body: QueuedBody, text: string, isLast: boolean): boolean {
    const room = Math.min(this.window.available, body.window.available, defaultFrameBytes);
    if (text.length > room || this.blocked || this.#closed) return false;
    this.#beginData(body, text.length, isLast);
    this.#batch.addText(text);
    return true;
  }

  /** Ends the stream with an empty DATA frame. */
  endData(streamId: number): void {
    if (this.#closed) return;
    this.#batch.beginFrame(frameType.data, flag.endStream, streamId, 0);
    this.#schedule();
  }

  /** Calls back once the socket has taken what is in the batch. */
  whenSent(listener: SentListener): void {
    this.#ended.push(listener);
    this.#schedule();
  }

  /** The connection's window has grown. Throws an `Http2Error` for an increment out of range. */
  onWindowUpdate(increment: number): void {
    this.window.increase(increment);
    this.pump();
  }

  /** Adds a body that waits for a window or the socket. */
  wait(body: QueuedBody): void {
    this.#waiting.add(body);
  }

  forget(body: QueuedBody): void {
    this.#waiting.delete(body);
  }

  /** Lets each waiting body send one frame in turn, as long as the windows and the socket allow. */
  pump(): void {
    this.#waiting.run(this);
  }

  /** The turn of the event loop ends. */
  flush(): void {
    this.#scheduled = false;
    this.write();
  }

  /** Writes the batched frames. */
  write(): void {
    if (this.#batch.length === 0 && this.#ended.length === 0) return;
    this.#writing.push(this.#ended.length === 0 ? noListeners : this.#ended);
    if (this.#ended.length > 0) this.#ended = [];
    if (!this.#socket.write(this.#batch.take(), this.#onWritten)) this.#owner.onOutputStalled();
  }

  /** Writes the batched frames and GOAWAY, and nothing after them. */
  close(lastStreamId: number, code: number): void {
    if (this.#closed) return;
    this.goaway(lastStreamId, code);
    this.stop();
  }

  /** Writes the batched frames, and nothing after them. */
  stop(): void {
    if (this.#closed) return;
    this.write();
    this.#closed = true;
    this.#waiting.clear();
  }

  /** The socket has closed. What it has not taken was not sent. */
  onSocketClosed(): void {
    this.#closed = true;
    this.#writing.push(this.#ended);
    this.#ended = [];
    for (const listeners of this.#writing.splice(0)) for (const listener of listeners) listener.onUnsent();
  }

  readonly #onWritten = (error: Error | null | undefined): void => {
    if (error) return;
    const listeners = this.#writing.shift() ?? noListeners;
    for (const listener of listeners) listener.onSent();
  };

  #beginData(body: QueuedBody, length: number, endStream: boolean): void {
    this.#batch.beginFrame(frameType.data, endStream ? flag.endStream : 0, body.streamId, length);
    this.window.take(length);
    body.window.take(length);
    this.#budget.expectReplies();
    this.#schedule();
  }

  #frame(bytes: Buffer): void {
    if (this.#closed) return;
    this.#batch.add(bytes);
    this.#schedule();
    this.#checkPending();
  }

  /** Bounded, since a peer that does not read would let the queue grow. */
  #checkPending(): void {
    if (this.pendingBytes > limits.http2QueuedBytes) this.#owner.onOutputStuck();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    writeBatch.add(this);
  }
}
