/** A handle that `Clock.clearTimeout` takes back. Opaque: only its clock knows what is inside. */
export type Timer = unknown;

/**
 * The time as every part of Evenkeel sees it. Tests put a virtual one in its place.
 *
 * Timers made here never keep a process alive.
 */
export interface Clock {
  /** Milliseconds that only ever grow, from an arbitrary start. For durations and deadlines. */
  now(): number;
  /** Milliseconds since 1970 in UTC. For what people read; it may jump. */
  wallNow(): number;
  setTimeout(callback: () => void, delayMs: number): Timer;
  clearTimeout(timer: Timer): void;
  /** Calls back once the event loop has read what has arrived by now. Default: a timer without a delay. */
  afterInput?(callback: () => void): void;
}

/** Calls back once the event loop has read what has arrived by now, and handed it on. */
export function afterInput(clock: Clock, callback: () => void): void {
  if (clock.afterInput === undefined) clock.setTimeout(callback, 0);
  else clock.afterInput(callback);
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimeout: (callback, delayMs) => setTimeout(callback, Math.max(delayMs, 0)).unref(),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
  // Node runs immediates after it has polled for input, and timers before: two timers may run without a poll between them.
  // Not unreferenced: the poll would then wait for the next event, and the immediate with it, for as long as all is quiet.
  afterInput: (callback) => void setImmediate(callback),
};
