/**
 * Adapts undici's two handler interfaces to one: the interface with a controller, which is the only one of undici 8, and the
 * legacy one with callbacks, which the `fetch` of Node 20 to 24 still uses. Both occur, since the undici in Node has another
 * version than our dependency.
 */

import type { Dispatcher } from "undici";
import { toFieldRecord } from "../http1/fields.ts";

/** The calls of a handler to its request. */
export interface RequestControl {
  abort(reason: unknown): void;
  /** Continues the response after `begin` or `data` has returned false. */
  resume(): void;
}

/** An undici handler of either interface. `begin` and `data` return false to pause the response until `resume`. */
export interface HandlerAdapter {
  /** Called first and once. The handler may abort at once. */
  start(control: RequestControl): void;
  /** An interim response, 102 or 103. */
  inform(status: number, headers: readonly string[]): void;
  begin(status: number, statusText: string, headers: readonly string[]): boolean;
  data(chunk: Buffer): boolean;
  end(trailers: readonly string[]): void;
  fail(error: Error): void;
}

type Handler = Dispatcher.DispatchHandler;

export function adaptHandler(handler: Handler): HandlerAdapter {
  return typeof handler.onRequestStart === "function" ? new ControllerAdapter(handler) : new CallbackAdapter(handler);
}

/** Calls a handler of the legacy interface. */
class CallbackAdapter implements HandlerAdapter {
  readonly #handler: Handler;
  #control: RequestControl | undefined;

  constructor(handler: Handler) {
    this.#handler = handler;
  }

  start(control: RequestControl): void {
    this.#control = control;
    this.#handler.onConnect?.((reason) => control.abort(reason));
  }

  inform(status: number, headers: readonly string[]): void {
    this.#handler.onHeaders?.(status, toBytes(headers), () => {}, "");
  }

  begin(status: number, statusText: string, headers: readonly string[]): boolean {
    this.#handler.onResponseStarted?.();
    return this.#handler.onHeaders?.(status, toBytes(headers), () => this.#control?.resume(), statusText) !== false;
  }

  data(chunk: Buffer): boolean {
    return this.#handler.onData?.(chunk) !== false;
  }

  end(trailers: readonly string[]): void {
    // The types say strings, but undici's own handlers accept bytes as well.
    this.#handler.onComplete?.(toBytes(trailers) as unknown as string[]);
  }

  fail(error: Error): void {
    this.#handler.onError?.(error);
  }
}

/** Calls a handler of the current interface, and is the controller that the handler gets. */
class ControllerAdapter implements HandlerAdapter, Dispatcher.DispatchController {
  rawHeaders: Buffer[] | null = null;
  rawTrailers: Buffer[] | null = null;
  paused = false;
  aborted = false;
  reason: Error | null = null;
  readonly #handler: Handler;
  #control: RequestControl | undefined;

  constructor(handler: Handler) {
    this.#handler = handler;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.#control?.resume();
  }

  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.#control?.abort(reason);
  }

  start(control: RequestControl): void {
    this.#control = control;
    this.#handler.onRequestStart?.(this, {});
  }

  inform(status: number, headers: readonly string[]): void {
    this.rawHeaders = toBytes(headers);
    this.#handler.onResponseStart?.(this, status, toFieldRecord(headers, "lower-case"), "");
  }

  begin(status: number, statusText: string, headers: readonly string[]): boolean {
    this.rawHeaders = toBytes(headers);
    this.#handler.onResponseStart?.(this, status, toFieldRecord(headers, "lower-case"), statusText);
    return !this.paused;
  }

  data(chunk: Buffer): boolean {
    this.#handler.onResponseData?.(this, chunk);
    return !this.paused;
  }

  end(trailers: readonly string[]): void {
    this.rawTrailers = toBytes(trailers);
    this.#handler.onResponseEnd?.(this, toFieldRecord(trailers, "lower-case"));
  }

  fail(error: Error): void {
    this.#handler.onResponseError?.(this, error);
  }
}

function toBytes(headers: readonly string[]): Buffer[] {
  return headers.map((text) => Buffer.from(text, "latin1"));
}
