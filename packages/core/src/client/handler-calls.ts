import type { ErrorCode } from "../errors.ts";
import { AsyncContext } from "../runtime/async-context.ts";
import type { ClientHandler } from "./client-exchange.ts";

/**
 * Calls the handler of one exchange in the async context of its start: frames of all streams are read in the context of their
 * connection. `onClosed` is called once, and is the last call.
 */
export class HandlerCalls {
  #handler: ClientHandler | undefined;
  #context: AsyncContext | undefined;
  #finished: boolean | undefined;

  get started(): boolean {
    return this.#context !== undefined;
  }

  /** The exchange has closed, whether that was reported or not. */
  get closed(): boolean {
    return this.#finished !== undefined;
  }

  start(handler: ClientHandler): void {
    this.#handler = handler;
    this.#context = new AsyncContext();
    if (this.closed) process.nextTick(() => this.#report());
  }

  /** The former handler is not called any more. */
  replace(handler: ClientHandler): void {
    this.#handler = handler;
  }

  onBody(chunk: Buffer): void {
    const handler = this.#handler;
    if (handler !== undefined) this.#context?.run(handler.onBody, handler, chunk);
  }

  onBodyEnd(): void {
    const handler = this.#handler;
    if (handler !== undefined) this.#context?.run(handler.onBodyEnd, handler);
  }

  onFault(code: ErrorCode): void {
    const handler = this.#handler;
    if (handler !== undefined) this.#context?.run(handler.onFault, handler, code);
  }

  onWritable(): void {
    const handler = this.#handler;
    if (handler !== undefined) this.#context?.run(handler.onWritable, handler);
  }

  close(finished: boolean): void {
    if (this.closed) return;
    this.#finished = finished;
    this.#report();
  }

  /** Reports the end later: for a call within a method of the exchange. */
  closeSoon(finished: boolean): void {
    if (this.closed) return;
    this.#finished = finished;
    process.nextTick(() => this.#report());
  }

  #report(): void {
    const handler = this.#handler;
    this.#handler = undefined;
    if (handler !== undefined) this.#context?.run(handler.onClosed, handler, this.#finished === true);
  }
}
