import { limits } from "../../config/defaults.ts";
import { ReceiveWindow } from "../../http2/flow-window.ts";
import { defaultWindowBytes } from "../../http2/protocol.ts";
import type { HandlerCalls } from "../handler-calls.ts";

/** The bytes of small chunks that are joined while they wait. A chunk in a DATA frame of one byte would cost 100 times its size. */
const joinedBytes = 4_096;
const smallBytes = 1_024;

/** The chunks of all bodies that have none, which most never have. */
const nothing: Buffer[] = [];

/** The stream of a request body. */
export interface IncomingBodyOwner {
  readonly id: number;
  onWindowIncrement(increment: number): void;
}

/**
 * How many streams of a connection have a window above the initial one. Bounded, since clients and slow upstreams fill windows
 * with bytes that are held.
 */
export class ExtraWindows {
  #left: number = limits.http2ExtraWindows;

  take(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }

  giveBack(): void {
    this.#left++;
  }
}

/**
 * What was received of a request's body and was not read yet, bounded by its window: small until the body is read for the first
 * time, then, as long as few others have it, as large as throughput needs.
 */
export class IncomingBody {
  /** END_STREAM was received. */
  ended: boolean;
  /** Bytes that were read or dropped. */
  read = 0;
  readonly #owner: IncomingBodyOwner;
  readonly #calls: HandlerCalls;
  readonly #window: ReceiveWindow;
  readonly #extraWindows: ExtraWindows;
  #isEnlarged = false;
  /** What Content-Length announces; -1 without one. */
  readonly #announced: number;
  #received = 0;
  #chunks: Buffer[] = nothing;
  /** Memory behind the last chunk that the next small chunk is joined to. */
  #joined: Buffer | undefined;
  #joinedLength = 0;
  #reading = false;
  /** Everything is dropped, what is still to be received included. */
  #discarding = false;
  #delivering = false;
  #endReported = false;

  constructor(
    owner: IncomingBodyOwner,
    calls: HandlerCalls,
    extraWindows: ExtraWindows,
    { length, endStream }: { readonly length: number; readonly endStream: boolean },
  ) {
    this.#owner = owner;
    this.#calls = calls;
    this.#extraWindows = extraWindows;
    this.#window = new ReceiveWindow(defaultWindowBytes, owner.id);
    this.ended = endStream;
    this.#announced = length;
  }

  /** As many bytes were received as were announced, if any were. */
  get isWhole(): boolean {
    return this.#announced === -1 || this.#received === this.#announced;
  }

  /** A DATA frame of `length` bytes begins, padding included. Throws an `Http2Error` when it exceeds the window. */
  reserve(length: number): void {
    this.#window.receive(length);
  }

  /** Takes data. False when it is more than was announced. */
  add(bytes: Buffer): boolean {
    this.#received += bytes.length;
    if (this.#announced !== -1 && this.#received > this.#announced) return false;
    if (this.#discarding) {
      this.read += bytes.length;
      this.credit(bytes.length);
    } else if (bytes.length >= smallBytes) {
      this.#closeJoined();
      this.#append(bytes);
    } else this.#join(bytes);
    return true;
  }

  /** Returns the next chunk and gives its bytes back to the window; undefined when there is none to be read. */
  take(): Buffer | undefined {
    const pieces = this.#chunks.length + (this.#joined === undefined ? 0 : 1);
    if (pieces <= (this.#isHeld ? 1 : 0)) return undefined;
    if (this.#chunks.length === 0) this.#closeJoined();
    const chunk = this.#chunks.shift() as Buffer;
    this.read += chunk.length;
    if (!this.ended) this.#enlarge();
    this.credit(chunk.length);
    return chunk;
  }

  takeAll(): Buffer {
    const chunks: Buffer[] = [];
    for (let chunk = this.take(); chunk !== undefined; chunk = this.take()) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  /** Gives bytes back to the window: data that was read or dropped, or padding. */
  credit(bytes: number): void {
    if (this.ended) return;
    this.#window.consume(bytes);
    const increment = this.#window.takeIncrement();
    if (increment > 0) this.#owner.onWindowIncrement(increment);
  }

  /** Starts or resumes the delivery to the handler, never during the call. */
  resume(): void {
    this.#reading = true;
    if (this.#delivering) return;
    this.#delivering = true;
    process.nextTick(() => {
      this.#delivering = false;
      this.deliver();
    });
  }

  pause(): void {
    this.#reading = false;
  }

  /** Delivers what was received, as long as the handler reads. */
  deliver(): void {
    while (this.#reading && !this.#discarding) {
      const chunk = this.take();
      if (chunk !== undefined) this.#calls.onBody(chunk);
      else if (!this.ended || this.#endReported) return;
      else {
        this.#endReported = true;
        return this.#calls.onBodyEnd();
      }
    }
  }

  /** Drops what is held, and what is still to be received. */
  discard(): void {
    this.#discarding = true;
    if (this.#isEnlarged) this.#extraWindows.giveBack();
    this.#isEnlarged = false;
    let bytes = this.#joinedLength;
    for (const chunk of this.#chunks) bytes += chunk.length;
    if (bytes === 0) return;
    this.#chunks = nothing;
    this.#joined = undefined;
    this.#joinedLength = 0;
    this.read += bytes;
    this.credit(bytes);
  }

  /** The last announced bytes are held until END_STREAM: more may follow, and then the request is malformed. */
  get #isHeld(): boolean {
    return !this.ended && this.#announced > 0 && this.#received === this.#announced;
  }

  #enlarge(): void {
    if (this.#isEnlarged || !this.#extraWindows.take()) return;
    this.#isEnlarged = true;
    this.#window.growTo(limits.http2StreamWindowBytes);
  }

  #join(bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (this.#joined !== undefined && this.#joinedLength + bytes.length > joinedBytes) this.#closeJoined();
    if (this.#joined === undefined) {
      this.#joined = bytes;
      this.#joinedLength = bytes.length;
      return;
    }
    if (this.#joined.length === this.#joinedLength) {
      const room = Buffer.allocUnsafe(joinedBytes);
      this.#joined.copy(room);
      this.#joined = room;
    }
    bytes.copy(this.#joined, this.#joinedLength);
    this.#joinedLength += bytes.length;
  }

  #append(chunk: Buffer): void {
    if (this.#chunks === nothing) this.#chunks = [chunk];
    else this.#chunks.push(chunk);
  }

  #closeJoined(): void {
    if (this.#joined === undefined) return;
    this.#append(this.#joined.subarray(0, this.#joinedLength));
    this.#joined = undefined;
    this.#joinedLength = 0;
  }
}
