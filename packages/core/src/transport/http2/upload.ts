import type { SendWindow } from "../../http2/flow-window.ts";
import { TransportError } from "../transport-error.ts";
import type { SessionOutput } from "./session-output.ts";

/** The stream of an upload. */
export interface UploadOwner {
  /** The rest of the body may be written. */
  onUploadDrain(): void;
  /** A frame has been sent, or the whole body. */
  onUploadProgress(): void;
}

/** Sends the body of one request, as far as the windows of the stream and the connection allow. */
export class Upload {
  readonly streamId: number;
  readonly window: SendWindow;
  readonly #output: SessionOutput;
  readonly #owner: UploadOwner;
  /** Bytes that are still to be written; -1 when the length is not known. */
  #left: number;
  #queue: Uint8Array[] = [];
  /** Bytes of the first chunk in the queue that have been sent. */
  #offset = 0;
  /** The whole body has been written, but maybe not sent. */
  #ending: boolean;
  #done: boolean;
  #drainExpected = false;

  constructor(options: {
    readonly streamId: number;
    readonly window: SendWindow;
    readonly output: SessionOutput;
    readonly owner: UploadOwner;
    /** 0 for none, -1 when it is not known. */
    readonly length: number;
  }) {
    this.streamId = options.streamId;
    this.window = options.window;
    this.#output = options.output;
    this.#owner = options.owner;
    this.#left = options.length;
    this.#ending = options.length === 0;
    this.#done = options.length === 0;
  }

  /** The end of the body has been sent. */
  get done(): boolean {
    return this.#done;
  }

  get hasQueued(): boolean {
    return this.#queue.length > 0;
  }

  /** The body waits for a window or the socket. */
  get blocked(): boolean {
    return this.#queue.length > 0 || this.#drainExpected;
  }

  /** False asks to wait for the drain. Throws a `TransportError` for more bytes than announced. */
  write(chunk: Uint8Array): boolean {
    if (chunk.length === 0) return true;
    if (this.#ending || (this.#left !== -1 && chunk.length > this.#left)) {
      throw new TransportError("internal", "a body longer than its announced length");
    }
    if (this.#left !== -1) this.#left -= chunk.length;
    const isLast = this.#left === 0;
    if (isLast) this.#ending = true;
    const sent = this.hasQueued ? 0 : this.#output.data(this, chunk, 0, isLast);
    if (sent === chunk.length) {
      if (isLast) this.#finish();
      else if (!this.#output.blocked) return true;
    } else {
      if (!this.hasQueued) this.#offset = sent;
      this.#queue.push(chunk);
    }
    if (this.#done) return true;
    this.#drainExpected = true;
    this.#output.wait(this);
    return false;
  }

  end(): void {
    if (this.#left > 0) throw new TransportError("internal", "a body shorter than its announced length");
    if (this.#done || this.#ending) return;
    this.#ending = true;
    if (this.hasQueued) return;
    this.#output.endData(this.streamId);
    this.#finish();
  }

  /** Sends one frame from the queue. False when a window or the socket does not allow it. */
  sendQueued(): boolean {
    const chunk = this.#queue[0] as Uint8Array;
    const isLast = this.#ending && this.#left === 0 && this.#queue.length === 1;
    const sent = this.#output.data(this, chunk, this.#offset, isLast);
    this.#offset += sent;
    if (this.#offset === chunk.length) {
      this.#queue.shift();
      this.#offset = 0;
      if (isLast) this.#finish();
      else if (this.#ending && !this.hasQueued) {
        this.#output.endData(this.streamId);
        this.#finish();
      }
    }
    return sent > 0;
  }

  /** The queue is empty again. */
  onQueueEmpty(): void {
    if (!this.#drainExpected) return;
    this.#drainExpected = false;
    if (!this.#done) this.#owner.onUploadDrain();
  }

  onFrameSent(): void {
    this.#owner.onUploadProgress();
  }

  /** Sends nothing more. */
  abandon(): void {
    this.#done = true;
    this.#ending = true;
    this.#queue = [];
    this.#output.forget(this);
  }

  #finish(): void {
    this.#done = true;
    this.#owner.onUploadProgress();
  }
}
