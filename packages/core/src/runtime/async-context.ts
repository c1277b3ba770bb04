import { AsyncResource } from "node:async_hooks";
import { afterInput, type Clock } from "./clock.ts";

/**
 * Captures the async context of its construction: the stores of each `AsyncLocalStorage` of the app, which tracing uses too.
 *
 * Requests share connections, queues, tickers and batches. Node runs a shared callback in the context of the request that
 * opened, woke or filled the shared object. So each shared object restores a request's own context before it calls into
 * that request. An `AsyncResource` costs less than 1 µs; `AsyncLocalStorage.snapshot` costs 20 µs on Node 20.
 */
export class AsyncContext extends AsyncResource {
  constructor() {
    super("EVENKEEL");
  }

  run<This, Args extends unknown[], Result>(
    fn: (this: This, ...args: Args) => Result,
    thisArg: This,
    ...args: Args
  ): Result {
    return this.runInAsyncScope(fn, thisArg, ...args);
  }
}

/** Returns a function that runs `fn` in the async context of this call. */
export function bindContext<Args extends unknown[]>(fn: (...args: Args) => void): (...args: Args) => void {
  const context = new AsyncContext();
  return (...args) => context.run(fn, undefined, ...args);
}

/** Captured while the module loads, so it belongs to no request. */
const background = new AsyncContext();

/**
 * Runs `fn` outside of any request's context. Use it to create shared objects that outlive a request, such as sockets and
 * repeating timers. Otherwise they keep the stores of the request that created them alive, and tracing attributes all their
 * callbacks to that request.
 */
export function inBackground<Result>(fn: () => Result): Result {
  return background.run(fn, undefined);
}

/** A clock whose timers run outside of any request's context. */
export function backgroundClock(clock: Clock): Clock {
  return {
    now: () => clock.now(),
    wallNow: () => clock.wallNow(),
    setTimeout: (callback, delayMs) => inBackground(() => clock.setTimeout(callback, delayMs)),
    clearTimeout: (timer) => clock.clearTimeout(timer),
    afterInput: (callback) => inBackground(() => afterInput(clock, callback)),
  };
}
