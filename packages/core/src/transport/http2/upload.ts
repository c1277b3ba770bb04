import type { SendWindow } from "../../http2/flow-window.ts";
import { TransportError } from "../transport-error.ts";
import type { SessionOutput } from "./session-output.ts";

/** Whose body it is. */
export interface UploadOwner {
  /** The body may go on. */
  onUploadDrain(): void;
  /** A frame of it has left, or all of it. */
  onUploadProgress(): void;
}

/** The body of one request on its way to the upstream: as much at a time as the stream's and the connection's windows allow. */
export class Upload {
  readonly streamId: number;
  readonly window: SendWindow;
  readonly #output: SessionOutput;
  readonly #owner: UploadOwner;
  /** Bytes that are still to be handed over; -1 when the length is not known. */
  #left: number;
  #queue: Uint8Array[] = [];
  /** How much of the first of the queue has been sent. */
  #offset = 0;
  /** Everything has been handed over. */
  #ending: boolean;
  #done: boolean;
  #owesDrain = false;

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

  /** The upstream takes less than there is to send. */
  get blocked(): boolean {
    return this.#queue.length > 0 || this.#owesDrain;
  }

  /** False asks to wait for the drain. Throws a `TransportError` for more than was announced. */
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
    this.#owesDrain = true;
    this.#output.wait(this);
    return false;
  }

  end(): void {
    if (this.#left > 0) throw new TransportError("internal", "a body shorter than its announced length");
    if (this.#done || this.#ending) return;
    this.#ending = true;
    if (this.hasQueued) return;
    this.#output.endOfData(this.streamId);
    this.#finish();
  }

  /** Sends one more frame of what waits, and says whether it could. */
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
        this.#output.endOfData(this.streamId);
        this.#finish();
      }
    }
    return sent > 0;
  }

  /** Nothing of it waits any more. */
  onRelieved(): void {
    if (!this.#owesDrain) return;
    this.#owesDrain = false;
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
