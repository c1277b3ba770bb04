import { Duplex } from "node:stream";
import type { ClientExchange, ClientHandler } from "../client-exchange.ts";

type Done = (error?: Error | null) => void;

/** The data of a stream in both directions, once a tunnel was accepted on it. */
export class TunnelStream extends Duplex implements ClientHandler {
  readonly #exchange: ClientExchange;
  #written: Done | undefined;

  constructor(exchange: ClientExchange) {
    super();
    this.#exchange = exchange;
  }

  get bytesRead(): number {
    return this.#exchange.bodyBytes;
  }

  override _read(): void {
    this.#exchange.readBody();
  }

  override _write(chunk: Buffer, _encoding: string, done: Done): void {
    if (this.#exchange.write(chunk)) done();
    else this.#written = done;
  }

  override _final(done: Done): void {
    this.#exchange.end(undefined, []);
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#exchange.cutOff();
    done(error);
  }

  onBody(chunk: Buffer): void {
    if (!this.push(chunk)) this.#exchange.pauseBody();
  }

  onBodyEnd(): void {
    this.push(null);
  }

  onFault(): void {
    this.destroy(new Error("the client has broken the protocol within the tunnel"));
  }

  onWritable(): void {
    const written = this.#written;
    this.#written = undefined;
    written?.();
  }

  onClosed(finished: boolean): void {
    if (!finished) this.destroy(new Error("the client has closed the stream"));
  }
}
