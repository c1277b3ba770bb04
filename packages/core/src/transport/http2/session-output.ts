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
import type { Upload } from "./upload.ts";

/** The connection that the frames are sent on. */
export interface OutputOwner {
  /** A write has failed; the socket is destroyed for it soon. */
  onWriteFailed(): void;
  /** The peer does not read, and what it is owed piles up. */
  onOutputStuck(error: Http2Error): void;
}

/** Bytes that are gathered before they are written to the socket within one turn. */
const gatheredBytes = 65_536;

/**
 * The sending half of a session: frames are gathered and written together, and the bodies of requests share what the
 * connection's window and the socket take, a frame at a time each.
 */
export class SessionOutput {
  /** The connection's window. */
  readonly window: SendWindow = new SendWindow(defaultWindowBytes, 0);
  readonly #encoder = new HpackEncoder();
  /** What the peer may send in return. */
  readonly #budget: FrameBudget;
  readonly #socket: Socket;
  readonly #owner: OutputOwner;
  readonly #onWritten: (error: Error | null | undefined) => void;
  #gathered: Buffer[] = [];
  #gatheredBytes = 0;
  #flushing = false;
  #closed = false;
  /** Bodies that have something to send and could not when they last tried, or that wait for the socket, in turn. */
  readonly #waiting = new Set<Upload>();
  #pumping = false;

  constructor(socket: Socket, owner: OutputOwner, budget: FrameBudget) {
    this.#budget = budget;
    this.#socket = socket;
    this.#owner = owner;
    this.#onWritten = (error) => {
      if (error) owner.onWriteFailed();
    };
  }

  /** The peer reads more slowly than is written. */
  get blocked(): boolean {
    return this.#socket.writableNeedDrain || this.#gatheredBytes >= gatheredBytes;
  }

  /** Says what every client says first: the preface, its settings and how much it may be sent (RFC 9113 section 3.4). */
  greet(): void {
    this.#frame(clientPreface);
    this.#frame(settingsFrame([setting.enablePush, 0, setting.initialWindowSize, limits.http2StreamWindowBytes]));
    this.#frame(windowUpdateFrame(0, limits.http2ConnectionWindowBytes - defaultWindowBytes));
  }

  /** Sends the head of a request: names and values by turns, pseudo-fields first. */
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

  /** The peer has set the size of its table of fields. */
  resizeTable(bytes: number): void {
    this.#encoder.resize(bytes);
  }

  /** Sends a frame that is no DATA. A peer that does not read cannot have these pile up. */
  #frame(bytes: Buffer): void {
    if (this.#closed) return;
    this.#gather(bytes);
    if (this.#socket.writableLength + this.#gatheredBytes <= limits.http2QueuedBytes) return;
    this.#owner.onOutputStuck(new Http2Error(errorCode.enhanceYourCalm, "a peer that does not read"));
  }

  /**
   * Sends so much of a piece of a body as the windows and the socket take, and returns how much that was. The end of the body
   * goes with its last byte when it is known.
   */
  data(upload: Upload, chunk: Uint8Array, start: number, isLast: boolean): number {
    let position = start;
    while (position < chunk.length && !this.blocked) {
      const room = Math.min(this.window.available, upload.window.available, defaultFrameBytes);
      if (room <= 0) break;
      const end = Math.min(chunk.length, position + room);
      const length = end - position;
      this.#gather(
        frameHeader(frameType.data, isLast && end === chunk.length ? flag.endStream : 0, upload.streamId, length),
      );
      this.#gather(chunk.subarray(position, end));
      this.window.take(length);
      upload.window.take(length);
      this.#budget.expectReplies();
      upload.onFrameSent();
      position = end;
      if (this.#pumping) break;
    }
    return position - start;
  }

  /** Ends a body of which everything has been sent. */
  endOfData(streamId: number): void {
    this.#gather(frameHeader(frameType.data, flag.endStream, streamId, 0));
  }

  /** The connection's window has grown. Throws an `Http2Error` for an increment out of range. */
  onWindowUpdate(increment: number): void {
    this.window.increase(increment);
    this.pump();
  }

  /** A body waits for its window, the connection's or the socket. */
  wait(upload: Upload): void {
    this.#waiting.add(upload);
  }

  forget(upload: Upload): void {
    this.#waiting.delete(upload);
  }

  /** Something has changed for the bodies that wait: each sends a frame in turn, for as long as there is room. */
  pump(): void {
    if (this.#pumping || this.#waiting.size === 0) return;
    this.#pumping = true;
    const relieved: Upload[] = [];
    let progress = true;
    while (progress && !this.blocked && this.#waiting.size > 0) {
      progress = false;
      for (const upload of [...this.#waiting]) {
        if (this.blocked) break;
        if (!upload.hasQueued || upload.sendQueued()) progress = true;
        if (upload.hasQueued) continue;
        this.#waiting.delete(upload);
        relieved.push(upload);
      }
    }
    this.#pumping = false;
    for (const upload of relieved) upload.onRelieved();
    this.flushSoon();
  }

  /** Writes what has been gathered. */
  flush(): void {
    this.#flushing = false;
    const gathered = this.#gathered;
    if (gathered.length === 0 || this.#closed) return;
    const bytes = this.#gatheredBytes;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    const [first] = gathered;
    this.#socket.write(gathered.length === 1 ? (first as Buffer) : Buffer.concat(gathered, bytes), this.#onWritten);
  }

  /** Writes at the end of what is being done now, so that frames of one turn leave together. */
  flushSoon(): void {
    if (this.#flushing || this.#gathered.length === 0) return;
    this.#flushing = true;
    process.nextTick(() => {
      if (this.#flushing) this.flush();
      // What was gathered may have been all that was in the way.
      this.pump();
    });
  }

  /** Writes what has been gathered and GOAWAY, and then nothing more. */
  close(code: number): void {
    this.#gather(goawayFrame(0, code));
    this.flush();
    this.#closed = true;
    this.#waiting.clear();
  }

  #gather(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.#gathered.push(bytes as Buffer);
    this.#gatheredBytes += bytes.length;
    this.flushSoon();
  }
}
