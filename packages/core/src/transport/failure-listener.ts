import type { Exchange, ExchangeFailure, ExchangeHandler } from "./transport.ts";

/** Forwards all calls to a handler, and calls a listener before a failure. */
export class FailureListener implements ExchangeHandler {
  readonly #handler: ExchangeHandler;
  readonly #listener: (failure: ExchangeFailure) => void;

  constructor(handler: ExchangeHandler, listener: (failure: ExchangeFailure) => void) {
    this.#handler = handler;
    this.#listener = listener;
  }

  onConnected(exchange: Exchange, connectMs: number | undefined): void {
    this.#handler.onConnected(exchange, connectMs);
  }

  onInformation(status: number, headers: readonly string[]): void {
    this.#handler.onInformation(status, headers);
  }

  onResponse(status: number, statusText: string, headers: string[], length: number): void {
    this.#handler.onResponse(status, statusText, headers, length);
  }

  onData(chunk: Buffer): boolean {
    return this.#handler.onData(chunk);
  }

  onFlush(): void {
    this.#handler.onFlush();
  }

  onComplete(trailers: readonly string[]): void {
    this.#handler.onComplete(trailers);
  }

  onFailure(failure: ExchangeFailure): void {
    this.#listener(failure);
    this.#handler.onFailure(failure);
  }

  onDrain(): void {
    this.#handler.onDrain();
  }
}
