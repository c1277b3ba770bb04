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
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimeout: (callback, delayMs) => setTimeout(callback, Math.max(delayMs, 0)).unref(),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
};
