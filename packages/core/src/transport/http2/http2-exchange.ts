import type { Exchange, ExchangeFailure, ExchangeHandler, RequestHead } from "../transport.ts";
import type { Http2Stream } from "./stream.ts";

/**
 * One request and its response, from the wait for a connection to its end. On an upstream that turns out to speak HTTP/1.1
 * it stands for the exchange there.
 */
export class Http2Exchange implements Exchange {
  readonly head: RequestHead;
  /** What is sent as its header block, pseudo-fields included. */
  readonly fields: readonly string[];
  readonly handler: ExchangeHandler;
  readonly #onAbort: (exchange: Http2Exchange) => void;
  #stream: Http2Stream | undefined;
  #http1: Exchange | undefined;
  #over = false;
  #aborted = false;

  constructor(
    head: RequestHead,
    fields: readonly string[],
    handler: ExchangeHandler,
    onAbort: (exchange: Http2Exchange) => void,
  ) {
    this.head = head;
    this.fields = fields;
    this.handler = handler;
    this.#onAbort = onAbort;
  }

  /** Its handler hears nothing more of it. */
  get over(): boolean {
    return this.#over;
  }

  write(chunk: Uint8Array): boolean {
    if (this.#http1 !== undefined) return this.#http1.write(chunk);
    return this.#stream === undefined || this.#stream.write(chunk);
  }

  end(): void {
    if (this.#http1 !== undefined) this.#http1.end();
    else this.#stream?.end();
  }

  resume(): void {
    if (this.#http1 !== undefined) this.#http1.resume();
    else this.#stream?.resume();
  }

  abort(): void {
    this.#aborted = true;
    this.#http1?.abort();
    if (this.#over) return;
    this.#over = true;
    const stream = this.#stream;
    this.#stream = undefined;
    if (stream === undefined) this.#onAbort(this);
    else stream.cancel();
  }

  begin(stream: Http2Stream): void {
    this.#stream = stream;
  }

  /** Goes on as an exchange over HTTP/1.1. */
  become(exchange: Exchange): void {
    this.#over = true;
    this.#http1 = exchange;
  }

  /** The response is complete. */
  finish(): void {
    this.#over = true;
    this.#stream = undefined;
  }

  /** Tells the handler later, never while it dispatches, and not at all when it has given up by then. */
  fail(failure: ExchangeFailure): void {
    if (this.#over) return;
    this.finish();
    queueMicrotask(() => {
      if (!this.#aborted) this.handler.onFailure(failure);
    });
  }
}
