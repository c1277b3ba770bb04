import type { Exchange, ExchangeFailure, ExchangeHandler, RequestHead } from "../transport.ts";
import type { Connection } from "./connection.ts";

/** One request and its response. Detached from its connection at its end, so that a late call cannot reach the next exchange. */
export class Http1Exchange implements Exchange {
  readonly head: RequestHead;
  readonly headText: string;
  readonly handler: ExchangeHandler;
  connection: Connection | undefined;
  #over = false;
  #aborted = false;
  readonly #onAbort: (exchange: Http1Exchange) => void;

  constructor(
    head: RequestHead,
    headText: string,
    handler: ExchangeHandler,
    onAbort: (exchange: Http1Exchange) => void,
  ) {
    this.head = head;
    this.headText = headText;
    this.handler = handler;
    this.#onAbort = onAbort;
  }

  get over(): boolean {
    return this.#over;
  }

  write(chunk: Uint8Array): boolean {
    return this.#over || this.connection === undefined || this.connection.writeBody(chunk);
  }

  end(): void {
    if (!this.#over) this.connection?.endBody();
  }

  resume(): void {
    if (!this.#over) this.connection?.resume();
  }

  abort(): void {
    this.#aborted = true;
    if (this.#over) return;
    this.#over = true;
    this.#onAbort(this);
    this.connection?.abandon();
    this.connection = undefined;
  }

  /** The response is complete. */
  finish(): void {
    this.#over = true;
    this.connection = undefined;
  }

  /** Calls the handler in a microtask, never during its dispatch, and not after an abort. */
  fail(failure: ExchangeFailure): void {
    if (this.#over) return;
    this.#over = true;
    this.connection = undefined;
    queueMicrotask(() => {
      if (!this.#aborted) this.handler.onFailure(failure);
    });
  }
}
