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
  onTimeout(): void;
}

/** Cleared when the waiter leaves, since V8 may retain deleted entries of a set; see runtime/indexed-set.ts. */
interface Place {
  waiter: Waiter | undefined;
  timer: InputTimeout | undefined;
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
  /** Called when a waiter has entered. */
  onEntered: (() => void) | undefined;
  /** Called when a request waits or was refused. */
  onShort: ((refused: boolean) => void) | undefined;
  readonly #clock: Clock;
  /** A set keeps the order of arrival and deletes in constant time. */
  readonly #places = new Set<Place>();
  /** Number of waiters that cannot use every upstream. Without any, one decision holds for all waiters. */
  #selective = 0;

  constructor(options: { readonly max: number; readonly timeoutMs: number }, clock: Clock) {
    this.options = options;
    this.#clock = clock;
  }

  get depth(): number {
    return this.#places.size;
  }

  /** The limit in force in this process. */
  get max(): number {
    return this.share ?? this.options.max;
  }

  get hasRoom(): boolean {
    return this.#places.size < this.max;
  }

  /** False when the queue is full. */
  enter(waiter: Waiter): boolean {
    const { hasRoom } = this;
    this.onShort?.(!hasRoom);
    if (!hasRoom) return false;
    const context = new AsyncContext();
    const expire = () => {
      this.leave(waiter);
      context.run(waiter.onTimeout, waiter);
    };
    waiter.place = { waiter, context, timer: new InputTimeout(this.#clock, expire, this.options.timeoutMs) };
    this.#places.add(waiter.place);
    if (isSelective(waiter)) this.#selective++;
    this.onEntered?.();
    return true;
  }

  leave(waiter: Waiter): void {
    const { place } = waiter;
    if (place === undefined || !this.#places.delete(place)) return;
    place.timer?.clear();
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
}

function isSelective({ tried, waitsFor }: Waiter): boolean {
  return waitsFor !== undefined || (tried !== undefined && tried.length > 0);
}
