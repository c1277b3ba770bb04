import { Readable } from "node:stream";
import { ReplayBuffer } from "../attempts/replay-buffer.ts";
import { ProxyError } from "../errors.ts";
import type { Exchange } from "../transport/transport.ts";

/** Ends the request when reading its body fails. */
export interface BodyErrorHandler {
  onBodyError(error: Error): void;
}

type Chunk = string | Uint8Array | ArrayBuffer;

/**
 * The body of an outbound request. It is streamed with backpressure and, up to a limit, copied for further attempts. A body
 * in memory can be sent again at any size.
 *
 * Nothing is read before the first connection is open, so connect failures never cost the body.
 */
export class OutboundBody {
  /** Bytes; 0 for no body, -1 when unknown. */
  readonly length: number;
  bytesRead = 0;
  /** The whole body has been read. */
  complete = false;
  readonly #handler: BodyErrorHandler;
  readonly #source: unknown;
  #iterator: AsyncIterator<Chunk> | Iterator<Chunk> | undefined;
  readonly #copy: ReplayBuffer;
  #started = false;
  #reading = false;
  #released = false;
  #exchange: Exchange | undefined;

  /** Throws a `ProxyError` for an invalid body. `announced` is the Content-Length of the request. */
  constructor(body: unknown, announced: number | undefined, copyLimit: number, handler: BodyErrorHandler) {
    this.#handler = handler;
    this.#source = body;
    const whole = bytesInMemory(body);
    if (whole !== undefined) {
      this.length = whole.length;
      this.bytesRead = whole.length;
      this.complete = true;
      this.#copy = ReplayBuffer.of(whole);
      return;
    }
    if (announced !== undefined && !(Number.isSafeInteger(announced) && announced >= 0)) {
      throw new ProxyError("bad_request", "the Content-Length is not a number of bytes");
    }
    this.length = announced ?? (body instanceof Blob ? body.size : -1);
    this.complete = this.length === 0;
    this.#iterator = iteratorOf(body);
    this.#copy = new ReplayBuffer(copyLimit, this.length);
    // Without a listener Node would throw an error that occurs before the body is read.
    if (body instanceof Readable) body.on("error", () => {});
  }

  get replayable(): boolean {
    return this.#copy.complete || !this.#started;
  }

  /** Sends the body over an open exchange: first the copy, then the rest as it is read. */
  attach(exchange: Exchange): void {
    if (this.length === 0) return;
    this.#exchange = exchange;
    this.#copy.replay(exchange);
    if (this.complete) exchange.end();
    else this.#read();
  }

  /** Stops sending. The rest stays unread until the next `attach`. */
  detach(): void {
    this.#exchange = undefined;
  }

  onDrain(): void {
    if (this.#exchange !== undefined && !this.complete) this.#read();
  }

  /** Frees the copy and destroys the source, with the error if there is one. */
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
      (error: unknown) => this.#fail(error),
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
    if (chunk === undefined)
      return this.#fail(new ProxyError("bad_request", "a chunk of the body is neither bytes nor a string"));
    this.bytesRead += chunk.length;
    if (this.length !== -1 && this.bytesRead > this.length) return this.#onEnd();
    if (this.#exchange === undefined) return this.#copy.addUnsent(chunk);
    this.#copy.add(chunk);
    if (this.#exchange.write(chunk)) this.#read();
  }

  #onEnd(): void {
    if (this.length !== -1 && this.bytesRead !== this.length) {
      return this.#fail(new ProxyError("bad_request", "the length of the body differs from its Content-Length"));
    }
    this.complete = true;
    this.#exchange?.end();
  }

  #fail(error: unknown): void {
    if (!this.#released) this.#handler.onBodyError(error instanceof Error ? error : new Error(String(error)));
  }
}

/** The bytes of a body in memory. Undefined for a stream. */
function bytesInMemory(body: unknown): Uint8Array | undefined {
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
  throw new ProxyError("bad_request", "a body must be a string, bytes, a Blob, a stream or an iterable");
}

function ignoreFailure(call: () => unknown): void {
  Promise.resolve()
    .then(call)
    .catch(() => {});
}
