import { AsyncContext } from "../../runtime/async-context.ts";
import type { Clock } from "../../runtime/clock.ts";
import { InputTimeout } from "../../runtime/input-timeout.ts";
import type { Upstream } from "../upstream.ts";

/** A request that waits for an upstream with room. */
export interface Waiter {
  /** Those that are of no more use to it. Does not change while it waits. Default: nobody. */
  readonly tried?: readonly Upstream[];
  /** The only one that will do. Does not change while it waits. Default: any. */
  readonly waitsFor?: Upstream | undefined;
  /** Where it stands in its queue, which alone reads and writes it. */
  place?: Place | undefined;
  /** There is room, or there will be none: pick now. */
  onRoom(): void;
  onTimeout(): void;
}

/** Emptied when it is left: V8 may keep it for long, as runtime/indexed-set.ts tells of sets. */
interface Place {
  waiter: Waiter | undefined;
  timer: InputTimeout | undefined;
  /** Where the waiter is called, whatever wakes it. */
  readonly context: AsyncContext;
}

/**
 * Requests that wait while every available upstream is full: first in, first out, with a limit on their number
 * and on their patience. Woken by a release, never by polling (HAProxy's queue rather than Caddy's).
 */
export class WaitQueue {
  /** Replaced whole by a reload. */
  options: { readonly max: number; readonly timeoutMs: number };
  /** Called when somebody has begun to wait. */
  onEntered: (() => void) | undefined;
  readonly #clock: Clock;
  /** A set keeps the order of arrival and forgets in constant time. */
  readonly #places = new Set<Place>();
  /** How many of them want not just anybody: for the others one answer holds for all. */
  #choosy = 0;

  constructor(options: { readonly max: number; readonly timeoutMs: number }, clock: Clock) {
    this.options = options;
    this.#clock = clock;
  }

  get depth(): number {
    return this.#places.size;
  }

  /** One more may wait. */
  get hasRoom(): boolean {
    return this.#places.size < this.options.max;
  }

  /** False when the queue is full. */
  enter(waiter: Waiter): boolean {
    if (!this.hasRoom) return false;
    const context = new AsyncContext();
    const expire = () => {
      this.leave(waiter);
      context.run(waiter.onTimeout, waiter);
    };
    waiter.place = { waiter, context, timer: new InputTimeout(this.#clock, expire, this.options.timeoutMs) };
    this.#places.add(waiter.place);
    if (isChoosy(waiter)) this.#choosy++;
    this.onEntered?.();
    return true;
  }

  /** For a client that left. */
  leave(waiter: Waiter): void {
    const { place } = waiter;
    if (place === undefined || !this.#places.delete(place)) return;
    place.timer?.clear();
    waiter.place = undefined;
    place.waiter = undefined;
    place.timer = undefined;
    if (isChoosy(waiter)) this.#choosy--;
  }

  /** Wakes those who are to be woken, in the order of their arrival, each asked about after the one before has picked. */
  wake(isToWake: (waiter: Waiter) => boolean): void {
    // Whoever is woken may wait again, at the end: that is after this round.
    let left = this.#places.size;
    for (const { waiter, context } of this.#places) {
      if (left-- === 0) return;
      if (waiter !== undefined && isToWake(waiter)) {
        this.leave(waiter);
        context.run(waiter.onRoom, waiter);
      } else if (this.#choosy === 0) {
        return;
      }
    }
  }
}

function isChoosy({ tried, waitsFor }: Waiter): boolean {
  return waitsFor !== undefined || (tried !== undefined && tried.length > 0);
}
