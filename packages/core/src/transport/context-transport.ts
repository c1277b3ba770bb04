import { AsyncContext } from "../runtime/async-context.ts";
import type { ConnectionUse, Exchange, ExchangeFailure, ExchangeHandler, RequestHead, Transport } from "./transport.ts";

/**
 * Calls each handler in the async context of its dispatch. Requests share connections, whose callbacks would otherwise run in
 * the context of the request that opened the connection.
 */
export class ContextTransport implements Transport {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  dispatch(head: RequestHead, handler: ExchangeHandler): Exchange {
    return this.#transport.dispatch(head, new ContextHandler(handler));
  }

  get connectionUse(): ConnectionUse {
    return this.#transport.connectionUse;
  }

  limitConnections(max: number, onShort: () => void): void {
    this.#transport.limitConnections(max, onShort);
  }

  close(): void {
    this.#transport.close();
  }

  destroy(): void {
    this.#transport.destroy();
  }
}

class ContextHandler implements ExchangeHandler {
  readonly #context = new AsyncContext();
  readonly #handler: ExchangeHandler;

  constructor(handler: ExchangeHandler) {
    this.#handler = handler;
  }

  onConnected(exchange: Exchange, connectMs: number | undefined): void {
    this.#context.run(this.#handler.onConnected, this.#handler, exchange, connectMs);
  }

  onInformation(status: number, headers: readonly string[]): void {
    this.#context.run(this.#handler.onInformation, this.#handler, status, headers);
  }

  onResponse(status: number, statusText: string, headers: string[], length: number): void {
    this.#context.run(this.#handler.onResponse, this.#handler, status, statusText, headers, length);
  }

  onData(chunk: Buffer): boolean {
    return this.#context.run(this.#handler.onData, this.#handler, chunk);
  }

  onFlush(): void {
    this.#context.run(this.#handler.onFlush, this.#handler);
  }

  onComplete(trailers: readonly string[]): void {
    this.#context.run(this.#handler.onComplete, this.#handler, trailers);
  }

  onFailure(failure: ExchangeFailure): void {
    this.#context.run(this.#handler.onFailure, this.#handler, failure);
  }

  onDrain(): void {
    this.#context.run(this.#handler.onDrain, this.#handler);
  }
}
