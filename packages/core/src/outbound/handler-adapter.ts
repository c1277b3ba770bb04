/**
 * Who has dispatched a request, behind whichever of undici's two handler interfaces it has: the one with a controller,
 * which undici 8 speaks alone, or the one before it, which the `fetch` of Node 20 to 24 still speaks. Node's own undici
 * is of another version than ours, and both come through here.
 */

import type { Dispatcher } from "undici";

/** How a caller steers its request. */
export interface Steering {
  abort(reason: unknown): void;
  /** Lets the answer flow again. */
  resume(): void;
}

/** Whoever gets the answer. False asks for no more until `resume`. */
export interface Caller {
  /** Called first, and once. It may abort at once. */
  start(steering: Steering): void;
  /** An answer of 102 or 103, with another to come. */
  inform(status: number, headers: readonly string[]): void;
  begin(status: number, statusText: string, headers: readonly string[]): boolean;
  data(chunk: Buffer): boolean;
  end(trailers: readonly string[]): void;
  fail(error: Error): void;
}

type Handler = Dispatcher.DispatchHandler;

export function callerOf(handler: Handler): Caller {
  return typeof handler.onRequestStart === "function" ? new ControllerCaller(handler) : new CallbackCaller(handler);
}

/** Speaks to a handler of the older interface. */
class CallbackCaller implements Caller {
  readonly #handler: Handler;
  #steering: Steering | undefined;

  constructor(handler: Handler) {
    this.#handler = handler;
  }

  start(steering: Steering): void {
    this.#steering = steering;
    this.#handler.onConnect?.((reason) => steering.abort(reason));
  }

  inform(status: number, headers: readonly string[]): void {
    this.#handler.onHeaders?.(status, toBytes(headers), () => {}, "");
  }

  begin(status: number, statusText: string, headers: readonly string[]): boolean {
    this.#handler.onResponseStarted?.();
    return this.#handler.onHeaders?.(status, toBytes(headers), () => this.#steering?.resume(), statusText) !== false;
  }

  data(chunk: Buffer): boolean {
    return this.#handler.onData?.(chunk) !== false;
  }

  end(trailers: readonly string[]): void {
    // Bytes, whatever its types say: undici's own handlers take both.
    this.#handler.onComplete?.(toBytes(trailers) as unknown as string[]);
  }

  fail(error: Error): void {
    this.#handler.onError?.(error);
  }
}

/** Speaks to a handler of the newer interface, as the controller that it is given. */
class ControllerCaller implements Caller, Dispatcher.DispatchController {
  rawHeaders: Buffer[] | null = null;
  rawTrailers: Buffer[] | null = null;
  paused = false;
  aborted = false;
  reason: Error | null = null;
  readonly #handler: Handler;
  #steering: Steering | undefined;

  constructor(handler: Handler) {
    this.#handler = handler;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.#steering?.resume();
  }

  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.#steering?.abort(reason);
  }

  start(steering: Steering): void {
    this.#steering = steering;
    this.#handler.onRequestStart?.(this, {});
  }

  inform(status: number, headers: readonly string[]): void {
    this.rawHeaders = toBytes(headers);
    this.#handler.onResponseStart?.(this, status, toRecord(headers), "");
  }

  begin(status: number, statusText: string, headers: readonly string[]): boolean {
    this.rawHeaders = toBytes(headers);
    this.#handler.onResponseStart?.(this, status, toRecord(headers), statusText);
    return !this.paused;
  }

  data(chunk: Buffer): boolean {
    this.#handler.onResponseData?.(this, chunk);
    return !this.paused;
  }

  end(trailers: readonly string[]): void {
    this.rawTrailers = toBytes(trailers);
    this.#handler.onResponseEnd?.(this, toRecord(trailers));
  }

  fail(error: Error): void {
    this.#handler.onResponseError?.(this, error);
  }
}

function toBytes(headers: readonly string[]): Buffer[] {
  return headers.map((text) => Buffer.from(text, "latin1"));
}

/** By lower-case name; the values of a repeated one as a list. */
function toRecord(headers: readonly string[]): Record<string, string | string[]> {
  // Without a prototype: a name such as `__proto__` is a name like any other.
  const record: Record<string, string | string[]> = Object.create(null);
  for (let index = 0; index < headers.length; index += 2) {
    const name = (headers[index] as string).toLowerCase();
    const value = headers[index + 1] as string;
    const before = record[name];
    record[name] = before === undefined ? value : [before, value].flat();
  }
  return record;
}
