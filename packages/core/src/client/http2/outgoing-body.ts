import type { SendWindow } from "../../http2/flow-window.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Ticker, Timed } from "../../runtime/ticker.ts";
import type { ConnectionOutput, QueuedBody } from "./connection-output.ts";

/** The stream of a response body. */
export interface OutgoingBodyOwner {
  /** The body can take more, after `write` has returned false. */
  onBodyWritable(): void;
  /** The client takes nothing of what is left after the end. */
  onSendTimeout(): void;
  /** The frame that ends the stream is in the batch. */
  onBodyEnded(): void;
}

/** The timeout of the rest of a body; 0 is none. */
export interface SendTimer {
  readonly clock: Clock;
  readonly ticker: Ticker;
  readonly sendMs: number;
}

const noTrailers: readonly string[] = [];

/** The queue of all bodies that wait for nothing. */
const nothing: Uint8Array[] = [];

/** Sends the body of one response as far as the windows of the stream and the connection allow, then its trailers. */
export class OutgoingBody implements QueuedBody, Timed {
  deadline: number = Infinity;
  readonly streamId: number;
  readonly window: SendWindow;
  readonly #output: ConnectionOutput;
  readonly #owner: OutgoingBodyOwner;
  readonly #timer: SendTimer;
  #queue: Uint8Array[] = nothing;
  /** Bytes of the first chunk in the queue that were sent. */
  #offset = 0;
  #ending = false;
  #trailers: readonly string[] = noTrailers;
  #drainExpected = false;

  constructor(
    owner: OutgoingBodyOwner,
    host: SendTimer & { readonly output: ConnectionOutput },
    window: SendWindow,
    streamId: number,
  ) {
    this.#owner = owner;
    this.#timer = host;
    this.#output = host.output;
    this.window = window;
    this.streamId = streamId;
  }

  get hasQueued(): boolean {
    return this.#queue.length > 0;
  }

  /** False asks to wait for `onBodyWritable`. The chunk is only read during the call. */
  write(chunk: Uint8Array): boolean {
    if (chunk.length === 0) return true;
    const sent = this.hasQueued ? 0 : this.#output.data(this, chunk, 0, false);
    if (sent < chunk.length) this.#append(Uint8Array.prototype.slice.call(chunk, sent));
    else if (!this.#output.blocked) return true;
    this.#drainExpected = true;
    this.#output.wait(this);
    return false;
  }

  /** Ends the body with a last chunk, only read during the call, and trailers. A string is Latin-1. */
  end(last: Uint8Array | string | undefined, trailers: readonly string[]): void {
    const ends = trailers.length === 0;
    this.#ending = true;
    this.#trailers = trailers;
    if (last === undefined || last.length === 0) {
      if (this.hasQueued) return this.#watch();
      if (ends) this.#output.endData(this.streamId);
      return this.#finish();
    }
    if (typeof last === "string" && !this.hasQueued && this.#output.text(this, last, ends)) return this.#finish();
    const chunk = typeof last === "string" ? Buffer.from(last, "latin1") : last;
    const sent = this.hasQueued ? 0 : this.#output.data(this, chunk, 0, ends);
    if (sent === chunk.length) return this.#finish();
    this.#append(Uint8Array.prototype.slice.call(chunk, sent));
    this.#output.wait(this);
    this.#watch();
  }

  sendQueued(): boolean {
    const chunk = this.#queue[0] as Uint8Array;
    const isLast = this.#ending && this.#queue.length === 1 && this.#trailers.length === 0;
    const sent = this.#output.data(this, chunk, this.#offset, isLast);
    if (sent === 0) return false;
    this.#offset += sent;
    if (this.deadline !== Infinity) this.#watch();
    if (this.#offset < chunk.length) return true;
    this.#queue.shift();
    this.#offset = 0;
    if (this.#ending && !this.hasQueued) this.#finish();
    return true;
  }

  #append(chunk: Uint8Array): void {
    if (this.#queue === nothing) this.#queue = [chunk];
    else this.#queue.push(chunk);
  }

  onQueueEmpty(): void {
    if (!this.#drainExpected) return;
    this.#drainExpected = false;
    if (!this.#ending) this.#owner.onBodyWritable();
  }

  /** Sends nothing more. */
  abandon(): void {
    this.#ending = true;
    this.#queue = nothing;
    this.#output.forget(this);
    this.#unwatch();
  }

  onDeadline(): void {
    this.#owner.onSendTimeout();
  }

  /** Before the end the timeout is up to the handler, which is asked to wait. */
  #watch(): void {
    const { clock, ticker, sendMs } = this.#timer;
    if (sendMs === 0) return;
    this.deadline = clock.now() + sendMs;
    ticker.watch(this);
  }

  #unwatch(): void {
    if (this.deadline === Infinity) return;
    this.deadline = Infinity;
    this.#timer.ticker.forget(this);
  }

  #finish(): void {
    this.#drainExpected = false;
    this.#unwatch();
    this.#output.forget(this);
    if (this.#trailers.length > 0) this.#output.headers(this.streamId, 0, this.#trailers, true);
    this.#owner.onBodyEnded();
  }
}
