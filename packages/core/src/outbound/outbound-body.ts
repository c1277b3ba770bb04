import { Readable } from "node:stream";
import { ReplayBuffer } from "../attempts/replay-buffer.ts";
import { ProxyError } from "../errors.ts";
import type { Exchange } from "../transport/transport.ts";

/** Who ends the request when its body does not come as it should. */
export interface BodyOwner {
  onBodyFault(error: Error): void;
}

type Chunk = string | Uint8Array | ArrayBuffer;

/**
 * The body of a request of the app's own: streamed with the upstream's pace and, while it is small, copied, so that
 * another attempt can send it again. What is in memory as a whole can be sent again whatever its size.
 *
 * Nothing is read before the first connection stands: a body is whole for as long as nobody could be reached.
 */
export class OutboundBody {
  /** 0 for none, -1 when it is not known before its end. */
  readonly length: number;
  bytesRead = 0;
  /** The last byte has been read. */
  complete = false;
  readonly #owner: BodyOwner;
  readonly #source: unknown;
  #iterator: AsyncIterator<Chunk> | Iterator<Chunk> | undefined;
  readonly #copy: ReplayBuffer;
  #started = false;
  #reading = false;
  #released = false;
  #exchange: Exchange | undefined;

  /** Throws a `ProxyError` for what is no body. `announced` is the length that the caller promises. */
  constructor(body: unknown, announced: number | undefined, copyLimit: number, owner: BodyOwner) {
    this.#owner = owner;
    this.#source = body;
    const whole = wholeOf(body);
    if (whole !== undefined) {
      this.length = whole.length;
      this.bytesRead = whole.length;
      this.complete = true;
      this.#copy = ReplayBuffer.of(whole);
      return;
    }
    if (announced !== undefined && !(Number.isSafeInteger(announced) && announced >= 0)) {
      throw new ProxyError("bad_request", "a Content-Length that is no number of bytes");
    }
    this.length = announced ?? (body instanceof Blob ? body.size : -1);
    this.complete = this.length === 0;
    this.#iterator = iteratorOf(body);
    this.#copy = new ReplayBuffer(copyLimit, this.length);
    // Without a listener node would throw what it dies of before anybody reads it.
    if (body instanceof Readable) body.on("error", () => {});
  }

  /** Every byte read so far can be sent again. */
  get replayable(): boolean {
    return this.#copy.complete || !this.#started;
  }

  /** Sends the body through an exchange whose connection stands: what is copied first, then what is still to come. */
  attach(exchange: Exchange): void {
    if (this.length === 0) return;
    this.#exchange = exchange;
    this.#copy.replay(exchange);
    if (this.complete) exchange.end();
    else this.#read();
  }

  /** Stops sending; what is still to come waits. */
  detach(): void {
    this.#exchange = undefined;
  }

  onDrain(): void {
    if (this.#exchange !== undefined && !this.complete) this.#read();
  }

  /** Nobody waits for it any more; what it comes from is told, with the reason when there is one. */
  release(error?: Error): void {
    if (this.#released) return;
    this.#released = true;
    this.detach();
    this.#copy.drop();
    if (this.#source instanceof Readable) this.#source.destroy(error);
    else if (!this.complete) ignoreFailure(() => this.#iterator?.return?.());
  }

  #read(): void {
    if (this.#reading || this.#released) return;
    this.#reading = true;
    this.#started = true;
    this.#next().then(
      (result) => this.#onNext(result),
      (error: unknown) => this.#fault(error),
    );
  }

  async #next(): Promise<IteratorResult<Chunk, unknown>> {
    return (await this.#iterator?.next()) ?? { done: true, value: undefined };
  }

  #onNext(result: IteratorResult<Chunk, unknown>): void {
    this.#reading = false;
    if (this.#released) return;
    if (result.done === true) return this.#onEnd();
    const chunk = toBytes(result.value);
    if (chunk === undefined) return this.#fault(new ProxyError("bad_request", "a body of something else than bytes"));
    this.bytesRead += chunk.length;
    if (this.length !== -1 && this.bytesRead > this.length) return this.#onEnd();
    if (this.#exchange === undefined) return this.#copy.addUnsent(chunk);
    this.#copy.add(chunk);
    if (this.#exchange.write(chunk)) this.#read();
  }

  #onEnd(): void {
    if (this.length !== -1 && this.bytesRead !== this.length) {
      return this.#fault(new ProxyError("bad_request", "the body has another length than its Content-Length"));
    }
    this.complete = true;
    this.#exchange?.end();
  }

  #fault(error: unknown): void {
    if (!this.#released) this.#owner.onBodyFault(error instanceof Error ? error : new Error(String(error)));
  }
}

/** A body that is in memory as a whole. */
function wholeOf(body: unknown): Uint8Array | undefined {
  if (body === null || body === undefined) return new Uint8Array(0);
  return toBytes(body);
}

function toBytes(value: unknown): Uint8Array | undefined {
  if (typeof value === "string") return Buffer.from(value);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return undefined;
}

function iteratorOf(body: unknown): AsyncIterator<Chunk> | Iterator<Chunk> {
  const source = body instanceof Blob ? body.stream() : (body as Partial<AsyncIterable<Chunk> & Iterable<Chunk>>);
  const iterator = source[Symbol.asyncIterator]?.() ?? (source as Partial<Iterable<Chunk>>)[Symbol.iterator]?.();
  if (iterator !== undefined) return iterator as AsyncIterator<Chunk> | Iterator<Chunk>;
  throw new ProxyError("bad_request", "a body has to be a string, bytes, a Blob, a stream or an iterable");
}

function ignoreFailure(call: () => unknown): void {
  Promise.resolve()
    .then(call)
    .catch(() => {});
}
