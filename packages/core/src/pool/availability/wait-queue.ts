import { AsyncContext } from "../../runtime/async-context.ts";
import type { Clock } from "../../runtime/clock.ts";
import { InputTimeout } from "../../runtime/input-timeout.ts";
import type { Upstream } from "../upstream.ts";

/** A request that waits for an upstream with room. */
export interface Waiter {
  /** Upstreams that it has tried. Constant while it waits. Default: none. */
  readonly tried?: readonly Upstream[];
  /** The only upstream that it can use. Constant while it waits. Default: any. */
  readonly waitsFor?: Upstream | undefined;
  /** Its place; only the queue reads and writes it. */
  place?: Place | undefined;
  /** There is room, or there will never be: pick now. */
  onRoom(): void;
  /** It has waited as long as it may. `queue_full`: for room that is with other processes, in vain. */
  onTimeout(code: "queue_timeout" | "queue_full"): void;
}

/** Milliseconds in which other processes give up room that they do not use: several times what their messages take. */
const borrowMs = 250;

/** Cleared when the waiter leaves, since V8 may retain deleted entries of a set; see runtime/indexed-set.ts. */
interface Place {
  waiter: Waiter | undefined;
  timer: InputTimeout | undefined;
  /** The waiter has no place in the queue: it waits for room that other processes have. */
  borrows: boolean;
  /** The async context of the waiter. */
  readonly context: AsyncContext;
}

/**
 * Requests that wait while every available upstream is full: first in, first out, with a limit on their number and a timeout.
 * Released places wake them; there is no polling (like HAProxy's queue, unlike Caddy's).
 */
export class WaitQueue {
  /** A reload replaces the object. */
  options: { readonly max: number; readonly timeoutMs: number };
  /** This process's share of `max`, if several processes share it. */
  share: number | undefined;
  /** The room for requests that other processes have and may give up, if several share limits. */
  elsewhere: (() => number) | undefined;
  /** Called when a waiter has entered. */
  onEntered: (() => void) | undefined;
  /** Called when a request waits or was refused. */
  onShort: ((refused: boolean) => void) | undefined;
  readonly #clock: Clock;
  /** A set keeps the order of arrival and deletes in constant time. */
  readonly #places = new Set<Place>();
  /** Number of waiters that cannot use every upstream. Without any, one decision holds for all waiters. */
  #selective = 0;
  #borrowing = 0;

  constructor(options: { readonly max: number; readonly timeoutMs: number }, clock: Clock) {
    this.options = options;
    this.#clock = clock;
  }

  /** All that wait. */
  get depth(): number {
    return this.#places.size;
  }

  /** Those that have a place in the queue. The others wait for room that other processes have. */
  get queued(): number {
    return this.#places.size - this.#borrowing;
  }

  /** The limit in force in this process. */
  get max(): number {
    return this.share ?? this.options.max;
  }

  get hasRoom(): boolean {
    return this.queued < this.max || this.#mayBorrow;
  }

  /**
   * While no place is free in this process, one may be so in others. A share follows demand, so a request has to wait for it, also
   * when the queue is full or has no place at all: otherwise a process without a share refuses what the group has room for.
   */
  get #mayBorrow(): boolean {
    return this.#borrowing < (this.elsewhere?.() ?? 0);
  }

  /** False when the queue is full. */
  enter(waiter: Waiter): boolean {
    const { hasRoom } = this;
    this.onShort?.(!hasRoom);
    if (!hasRoom) return false;
    const place: Place = { waiter, context: new AsyncContext(), timer: undefined, borrows: this.queued >= this.max };
    waiter.place = place;
    this.#startTimer(place, place.borrows ? Math.min(borrowMs, this.options.timeoutMs) : this.options.timeoutMs);
    if (place.borrows) this.#borrowing++;
    this.#places.add(place);
    if (isSelective(waiter)) this.#selective++;
    this.onEntered?.();
    return true;
  }

  leave(waiter: Waiter): void {
    const { place } = waiter;
    if (place === undefined || !this.#places.delete(place)) return;
    place.timer?.clear();
    if (place.borrows) this.#borrowing--;
    waiter.place = undefined;
    place.waiter = undefined;
    place.timer = undefined;
    if (isSelective(waiter)) this.#selective--;
  }

  /** Wakes waiters in order. `shouldWake` is called for each after the one before has picked. */
  wake(shouldWake: (waiter: Waiter) => boolean): void {
    // A woken waiter may enter again at the end; it is not part of this round.
    let left = this.#places.size;
    for (const { waiter, context } of this.#places) {
      if (left-- === 0) return;
      if (waiter !== undefined && shouldWake(waiter)) {
        this.leave(waiter);
        context.run(waiter.onRoom, waiter);
      } else if (this.#selective === 0) {
        return;
      }
    }
  }

  #startTimer(place: Place, ms: number): void {
    place.timer = new InputTimeout(this.#clock, () => this.#expire(place), ms);
  }

  #expire(place: Place): void {
    const { waiter, context, borrows } = place;
    if (waiter === undefined) return;
    if (borrows && this.queued < this.max) {
      place.borrows = false;
      this.#borrowing--;
      return this.#startTimer(place, Math.max(0, this.options.timeoutMs - borrowMs));
    }
    this.leave(waiter);
    context.run(waiter.onTimeout, waiter, borrows ? "queue_full" : "queue_timeout");
  }
}

function isSelective({ tried, waitsFor }: Waiter): boolean {
  return waitsFor !== undefined || (tried !== undefined && tried.length > 0);
}
