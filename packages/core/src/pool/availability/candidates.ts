import type { Timer } from "../../runtime/clock.ts";
import type { Weighting } from "../effective-weight.ts";
import type { Members } from "../members.ts";
import type { PoolContext } from "../pool-context.ts";
import type { Member, Upstream } from "../upstream.ts";
import {
  type Availability,
  computeAvailability,
  lastResort,
  mayFreeUp,
  reweighed,
  type Standing,
  standingOf,
  untried,
  usableAmong,
} from "./availability.ts";
import type { LookupRecord } from "./discovery-status.ts";
import type { Waiter, WaitQueue } from "./wait-queue.ts";

interface Parts {
  readonly members: Members;
  readonly weighting: Weighting;
  readonly queue: WaitQueue;
  readonly lookups: LookupRecord;
}

/**
 * Which upstreams may be picked now, and when waiting requests are woken.
 *
 * Call `reconsider` after any change. It wakes every waiter that can now be served or can never be served, in the order of
 * their arrival. Between `beginUpdate` and `endUpdate` changes are collected, and waiters are woken once, at the end: they
 * never run while a change is half made. A change that a woken request makes is collected as well, so that no waiter runs
 * inside another one's pick.
 *
 * Time alone makes room only while a slow start lifts a limit. Then, and only while a request waits, a timer is set for the
 * moment of the next place.
 */
export class Candidates {
  readonly #context: PoolContext;
  readonly #parts: Parts;
  #current: Availability | undefined;
  /** A weight has changed since the lists were made. */
  #reweighed = false;
  #roomTimer: Timer;
  /** Updates that have begun and not ended. */
  #updates = 0;
  /** Something has changed since waiters were last woken. */
  #changed = false;

  constructor(context: PoolContext, parts: Parts) {
    this.#context = context;
    this.#parts = parts;
    parts.queue.onEntered = () => this.#awaitRoom();
  }

  /** The lists in force; worked out when they are asked for. */
  get lists(): Availability {
    const { members, lookups } = this.#parts;
    if (this.#current === undefined) {
      this.#current = computeAvailability(members.list, this.#panicAllowed, lookups.expectsMore);
    } else if (this.#reweighed) {
      this.#current = reweighed(this.#current);
    }
    this.#reweighed = false;
    return this.#current;
  }

  /** Brings what time moves up to date. Whoever waits for the room that this makes is let in first. */
  refresh(): void {
    const { weighting, members } = this.#parts;
    if (weighting.moving && weighting.refresh(members.someWarm)) this.reconsider();
  }

  /** Whether there is an upstream that a request may use, now or once it has room. */
  get usable(): boolean {
    const { members, lookups } = this.#parts;
    return lookups.expectsMore || usableAmong(members.list, this.#panicAllowed).length > 0;
  }

  /** Whether somebody who was not tried yet is only full, or may still be found. */
  mayFreeUp(tried: readonly Upstream[]): boolean {
    const { members, lookups } = this.#parts;
    return lookups.expectsMore || mayFreeUp(members.list, tried, this.#panicAllowed);
  }

  /** What is left to a request that could connect to no available upstream; empty where panic is off. */
  lastResort(tried: readonly Upstream[]): readonly Upstream[] {
    return lastResort(this.#parts.members.list, tried, this.#panicAllowed);
  }

  /** Whether an upstream can serve a client that is bound to it. */
  standing(upstream: Upstream): Standing {
    return standingOf(upstream as Member, this.lists);
  }

  /** The lists are no longer right, but nobody can have gained a place or lost the hope of one. */
  forget(): void {
    this.#current = undefined;
  }

  /** A weight has changed, and with it nobody's place. */
  reweighed(): void {
    this.#reweighed = true;
  }

  /** Something has changed that the lists follow from. */
  reconsider(): void {
    this.#current = undefined;
    this.#changed = true;
    if (this.#updates === 0) this.#wakeWaiters();
  }

  /** Begins a change of several parts, during which no waiter is woken. */
  beginUpdate(): void {
    this.#updates++;
  }

  /** Wakes waiters if anything has changed since the outermost `beginUpdate`. */
  endUpdate(): void {
    this.#updates--;
    if (this.#updates === 0 && this.#changed) this.#wakeWaiters();
  }

  close(): void {
    this.#context.runtime.clock.clearTimeout(this.#roomTimer);
    this.#roomTimer = undefined;
  }

  get #panicAllowed(): boolean {
    return this.#context.options.panic === "use-all";
  }

  #wakeWaiters(): void {
    const { weighting, members, queue } = this.#parts;
    this.#updates++;
    try {
      while (this.#changed) {
        this.#changed = false;
        if (weighting.moving) weighting.refresh(members.someWarm);
        this.#current = undefined;
        queue.wake((waiter) => !this.#hasToWait(waiter));
      }
    } finally {
      this.#updates--;
    }
    this.#awaitRoom();
  }

  #hasToWait({ waitsFor, tried = [] }: Waiter): boolean {
    const { lists } = this;
    if (waitsFor !== undefined) return this.standing(waitsFor) === "later";
    if (tried.length === 0) return lists.candidates.length === 0 && lists.saturated;
    return untried(lists, tried).length === 0 && this.mayFreeUp(tried);
  }

  #awaitRoom(): void {
    const { clock } = this.#context.runtime;
    const { queue, weighting } = this.#parts;
    clock.clearTimeout(this.#roomTimer);
    this.#roomTimer = undefined;
    const inMs = queue.depth > 0 && weighting.moving ? weighting.roomIn() : Infinity;
    if (inMs !== Infinity) this.#roomTimer = clock.setTimeout(() => this.reconsider(), inMs);
  }
}
