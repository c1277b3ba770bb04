import type { Socket } from "node:net";
import { limits } from "../../config/defaults.ts";
import { SendWindow } from "../../http2/flow-window.ts";
import type { FrameBudget } from "../../http2/frame-budget.ts";
import {
  clientPreface,
  frameHeader,
  goawayFrame,
  headersFrames,
  pingFrame,
  rstStreamFrame,
  settingsAckFrame,
  settingsFrame,
  windowUpdateFrame,
} from "../../http2/frame-writer.ts";
import { HpackEncoder } from "../../http2/hpack/encoder.ts";
import { defaultFrameBytes, defaultWindowBytes, errorCode, flag, frameType, Http2Error } from "../../http2/protocol.ts";
import { setting } from "../../http2/settings.ts";
import { WaitingBodies } from "../../http2/waiting-bodies.ts";
import type { Upload } from "./upload.ts";

/** The connection that the frames are sent on. */
export interface OutputOwner {
  /** A write has failed, and Node is about to destroy the socket. */
  onWriteFailed(): void;
  /** The peer does not read, and the queue of frames has reached its limit. */
  onOutputStuck(error: Http2Error): void;
}

/** Bytes of frames that are batched into one write to the socket within one turn. */
const maxBatchedBytes = 65_536;

/**
 * The sending half of a session. Frames are batched into one write. Request bodies share the connection's window and the
 * socket, one frame each in turn.
 */
export class SessionOutput {
  /** The connection's window. */
  readonly window: SendWindow = new SendWindow(defaultWindowBytes, 0);
  readonly #encoder = new HpackEncoder();
  /** Frames that the peer may send in reply. */
  readonly #budget: FrameBudget;
  readonly #socket: Socket;
  readonly #owner: OutputOwner;
  readonly #onWritten: (error: Error | null | undefined) => void;
  #batched: Buffer[] = [];
  #batchedBytes = 0;
  #flushing = false;
  #closed = false;
  readonly #waiting = new WaitingBodies<Upload>();

  constructor(socket: Socket, owner: OutputOwner, budget: FrameBudget) {
    this.#budget = budget;
    this.#socket = socket;
    this.#owner = owner;
    this.#onWritten = (error) => {
      if (error) owner.onWriteFailed();
    };
  }

  /** The socket needs to drain, or the batch is full. */
  get blocked(): boolean {
    return this.#socket.writableNeedDrain || this.#batchedBytes >= maxBatchedBytes;
  }

  /** Sends the client's preface, its settings and the window of the connection (RFC 9113 section 3.4). */
  sendPreface(): void {
    this.#frame(clientPreface);
    this.#frame(settingsFrame([setting.enablePush, 0, setting.initialWindowSize, limits.http2StreamWindowBytes]));
    this.#frame(windowUpdateFrame(0, limits.http2ConnectionWindowBytes - defaultWindowBytes));
  }

  /** Sends the head of a request: alternating names and values, pseudo-fields first. */
  request(streamId: number, fields: readonly string[], endStream: boolean): void {
    this.#encoder.begin();
    for (let index = 0; index < fields.length; index += 2) {
      this.#encoder.add(fields[index] as string, fields[index + 1] as string);
    }
    this.#frame(headersFrames(streamId, this.#encoder.end(), endStream));
  }

  reset(streamId: number, code: number): void {
    this.#frame(rstStreamFrame(streamId, code));
  }

  windowUpdate(streamId: number, increment: number): void {
    this.#frame(windowUpdateFrame(streamId, increment));
  }

  ping(data: Buffer, ack: boolean): void {
    this.#frame(pingFrame(data, ack));
  }

  settingsAck(): void {
    this.#frame(settingsAckFrame());
  }

  /** The peer has set the size of its HPACK table. */
  resizeTable(bytes: number): void {
    this.#encoder.resize(bytes);
  }

  /** Sends any frame but DATA. Bounded, since a peer that does not read would let the queue grow. */
  #frame(bytes: Buffer): void {
    if (this.#closed) return;
    this.#batch(bytes);
    if (this.#socket.writableLength + this.#batchedBytes <= limits.http2QueuedBytes) return;
    this.#owner.onOutputStuck(new Http2Error(errorCode.enhanceYourCalm, "a peer that does not read"));
  }

  /**
   * Sends as much of a piece of a body as the windows and the socket allow, and returns the number of bytes. With `isLast`, the
   * frame of the last byte ends the stream.
   */
  data(upload: Upload, chunk: Uint8Array, start: number, isLast: boolean): number {
    let position = start;
    while (position < chunk.length && !this.blocked) {
      const room = Math.min(this.window.available, upload.window.available, defaultFrameBytes);
      if (room <= 0) break;
      const end = Math.min(chunk.length, position + room);
      const length = end - position;
      this.#batch(
        frameHeader(frameType.data, isLast && end === chunk.length ? flag.endStream : 0, upload.streamId, length),
      );
      this.#batch(chunk.subarray(position, end));
      this.window.take(length);
      upload.window.take(length);
      this.#budget.expectReplies();
      upload.onFrameSent();
      position = end;
      if (this.#waiting.running) break;
    }
    return position - start;
  }

  /** Ends the stream with an empty DATA frame. */
  endData(streamId: number): void {
    this.#batch(frameHeader(frameType.data, flag.endStream, streamId, 0));
  }

  /** The connection's window has grown. Throws an `Http2Error` for an increment out of range. */
  onWindowUpdate(increment: number): void {
    this.window.increase(increment);
    this.pump();
  }

  /** Adds a body that waits for a window or the socket. */
  wait(upload: Upload): void {
    this.#waiting.add(upload);
  }

  forget(upload: Upload): void {
    this.#waiting.delete(upload);
  }

  /** Lets each waiting body send one frame in turn, as long as the windows and the socket allow. */
  pump(): void {
    if (this.#waiting.run(this)) this.flushSoon();
  }

  /** Writes the batched frames. */
  flush(): void {
    this.#flushing = false;
    const batched = this.#batched;
    if (batched.length === 0 || this.#closed) return;
    const bytes = this.#batchedBytes;
    this.#batched = [];
    this.#batchedBytes = 0;
    const [first] = batched;
    this.#socket.write(batched.length === 1 ? (first as Buffer) : Buffer.concat(batched, bytes), this.#onWritten);
  }

  /** Writes in the next tick, so that the frames of one turn share a write. */
  flushSoon(): void {
    if (this.#flushing || this.#batched.length === 0) return;
    this.#flushing = true;
    process.nextTick(() => {
      if (this.#flushing) this.flush();
      // The full batch may have been the only obstacle.
      this.pump();
    });
  }

  /** Writes the batched frames and GOAWAY, and nothing after them. */
  close(code: number): void {
    this.#batch(goawayFrame(0, code));
    this.flush();
    this.#closed = true;
    this.#waiting.clear();
  }

  #batch(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.#batched.push(bytes as Buffer);
    this.#batchedBytes += bytes.length;
    this.flushSoon();
  }
}
