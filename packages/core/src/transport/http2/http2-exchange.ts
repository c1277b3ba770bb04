import type { Exchange, ExchangeFailure, ExchangeHandler, RequestHead } from "../transport.ts";
import type { Http2Stream } from "./stream.ts";

/**
 * One request and its response, from the wait for a connection to the end. If the upstream chooses HTTP/1.1, it delegates to
 * an HTTP/1.1 exchange.
 */
export class Http2Exchange implements Exchange {
  readonly head: RequestHead;
  /** The fields of its header block, pseudo-fields included. */
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

  /** The handler is not called any more. */
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

  /** Continues as an exchange over HTTP/1.1. */
  continueAs(exchange: Exchange): void {
    this.#over = true;
    this.#http1 = exchange;
  }

  /** The response is complete. */
  finish(): void {
    this.#over = true;
    this.#stream = undefined;
  }

  /** Calls the handler in a microtask, never during its dispatch, and not after an abort. */
  fail(failure: ExchangeFailure): void {
    if (this.#over) return;
    this.finish();
    queueMicrotask(() => {
      if (!this.#aborted) this.handler.onFailure(failure);
    });
  }
}
