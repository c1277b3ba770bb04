/** The handle of a timer, for `Clock.clearTimeout`. Opaque to all but its clock. */
export type Timer = unknown;

/**
 * The only source of time and timers in Evenkeel. Tests and simulations pass a virtual clock.
 *
 * Its timers never keep a process alive.
 */
export interface Clock {
  /** Monotonic milliseconds from an arbitrary start. For durations and deadlines. */
  now(): number;
  /** Milliseconds since 1970 in UTC. For events and logs; it may jump. */
  wallNow(): number;
  setTimeout(callback: () => void, delayMs: number): Timer;
  clearTimeout(timer: Timer): void;
  /** Calls back after the event loop has read all input that has arrived by now. Default: a timer without a delay. */
  afterInput?(callback: () => void): void;
}

/** Calls back after the event loop has read all input that has arrived by now and run its handlers. */
export function afterInput(clock: Clock, callback: () => void): void {
  if (clock.afterInput === undefined) clock.setTimeout(callback, 0);
  else clock.afterInput(callback);
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimeout: (callback, delayMs) => setTimeout(callback, Math.max(delayMs, 0)).unref(),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
  // Node runs immediates after it polls for input, and timers before: two timers can run without a poll between them. The
  // immediate stays referenced: with an unreferenced one, the poll blocks until the next event.
  afterInput: (callback) => void setImmediate(callback),
};
