import { AsyncResource } from "node:async_hooks";
import { afterInput, type Clock } from "./clock.ts";

/**
 * The async context in which it was made: the stores of an app's `AsyncLocalStorage`, and what tracing goes by.
 *
 * Connections, queues, tickers and batches are shared by requests, and Node runs their callbacks in the context of whichever
 * request opened, woke or filled them. Whatever shared thing calls into a request restores that request's own context first.
 * An `AsyncResource` costs a fraction of a microsecond; `AsyncLocalStorage.snapshot` costs 20 on Node 20.
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

/** Returns a function that runs in the context of this call. */
export function bindContext<Args extends unknown[]>(fn: (...args: Args) => void): (...args: Args) => void {
  const context = new AsyncContext();
  return (...args) => context.run(fn, undefined, ...args);
}

/** Made while the module loads, outside of any request. */
const background = new AsyncContext();

/**
 * Runs outside of any request's context: for what is shared and lives on, such as sockets and repeating timers. Otherwise the
 * stores of the request that happened to start it could not be collected, and everything it calls would seem to be that request's.
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
