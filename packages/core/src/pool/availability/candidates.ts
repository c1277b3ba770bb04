import type { Timer } from "../../runtime/clock.ts";
import type { EffectiveWeights } from "../effective-weight.ts";
import type { Members } from "../members.ts";
import type { PoolContext } from "../pool-context.ts";
import type { Member, Upstream } from "../upstream.ts";
import {
  type Availability,
  candidatesExcept,
  computeAvailability,
  lastResort,
  mayFreeUp,
  type Standing,
  standingOf,
  usableMembers,
  withNewCandidates,
} from "./availability.ts";
import type { DiscoveryStatus } from "./discovery-status.ts";
import type { Waiter, WaitQueue } from "./wait-queue.ts";

interface Parts {
  readonly members: Members;
  readonly effectiveWeights: EffectiveWeights;
  readonly queue: WaitQueue;
  readonly discoveryStatus: DiscoveryStatus;
}

/**
 * The candidates of a pool, and the moment when waiting requests are woken.
 *
 * Call `invalidate` after any change. It wakes every waiter that can now be served or can never be served, in the order of
 * arrival. Between `beginUpdate` and `endUpdate` changes are collected, and waiters are woken once, at the end: they
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
  /** Whether the pool serves, as last noted. Undefined until its first members have joined. */
  #serving: boolean | undefined;
  #servingSince: number;
  /** To be noted at the end of the update. */
  #servingToNote = true;

  constructor(
    context: PoolContext,
    members: Members,
    { effectiveWeights, queue, discoveryStatus }: Omit<Parts, "members">,
  ) {
    this.#context = context;
    this.#parts = { members, effectiveWeights, queue, discoveryStatus };
    this.#servingSince = context.runtime.clock.wallNow();
    queue.onEntered = () => this.#awaitRoom();
  }

  /** The current lists, computed at their first use after a change. */
  get lists(): Availability {
    const { members, discoveryStatus } = this.#parts;
    if (this.#current === undefined) {
      this.#current = computeAvailability(members.list, this.#panicAllowed, discoveryStatus.pending);
      this.#note(this.#current);
    } else if (this.#reweighed) {
      this.#current = withNewCandidates(this.#current);
    }
    this.#reweighed = false;
    return this.#current;
  }

  /** Updates the weights that change with time, and wakes the waiters for which that makes room. */
  refresh(): void {
    const { effectiveWeights, members } = this.#parts;
    if (effectiveWeights.changesWithTime && effectiveWeights.refresh(members.hasWarmMember)) this.invalidate();
  }

  /** Whether there is an upstream that a request may use, now or once it has room. */
  get usable(): boolean {
    const { members, discoveryStatus } = this.#parts;
    return discoveryStatus.pending || usableMembers(members.list, this.#panicAllowed).length > 0;
  }

  /** Whether an untried upstream is only full, or may still be discovered. */
  mayFreeUp(tried: readonly Upstream[]): boolean {
    const { members, discoveryStatus } = this.#parts;
    return discoveryStatus.pending || mayFreeUp(members.list, tried, this.#panicAllowed);
  }

  /** The upstreams for a request that could connect to no available one; empty when panic is off. */
  lastResort(tried: readonly Upstream[]): readonly Upstream[] {
    return lastResort(this.#parts.members.list, tried, this.#panicAllowed);
  }

  /** Whether an upstream can serve a client that is bound to it. */
  standing(upstream: Upstream): Standing {
    return standingOf(upstream as Member, this.lists);
  }

  /** Since when the pool serves, or does not, in milliseconds since 1970. */
  get servingSince(): number {
    this.noteServing();
    return this.#servingSince;
  }

  /**
   * Notes whether the pool serves, which is also noted with the first pick after a change. Call it after the events of a pool,
   * so that the time is exact without a pick, too.
   */
  noteServing(): void {
    if (this.#updates > 0) this.#servingToNote = true;
    // The lists need not be computed for one that is available.
    else if (this.#current === undefined && this.#parts.members.list.some(isPickable)) this.#note({ serving: true });
    else this.#note(this.lists);
  }

  /** A member has no room any more, which concerns no waiter. */
  onFull(member: Member): void {
    this.#current = undefined;
    this.#context.limits.onFull(member);
  }

  /** A weight has changed, which concerns no waiter. */
  reweighed(): void {
    this.#reweighed = true;
  }

  /** Drops the lists and wakes waiters. */
  invalidate(): void {
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
    if (this.#updates > 0) return;
    if (this.#changed) this.#wakeWaiters();
    if (this.#servingToNote) this.noteServing();
  }

  close(): void {
    this.#context.runtime.clock.clearTimeout(this.#roomTimer);
    this.#roomTimer = undefined;
  }

  get #panicAllowed(): boolean {
    return this.#context.options.panic === "use-all";
  }

  #wakeWaiters(): void {
    const { effectiveWeights, members, queue } = this.#parts;
    this.#updates++;
    try {
      while (this.#changed) {
        this.#changed = false;
        if (effectiveWeights.changesWithTime) effectiveWeights.refresh(members.hasWarmMember);
        this.#current = undefined;
        queue.wake((waiter) => !this.#hasToWait(waiter));
      }
    } finally {
      this.#updates--;
    }
    this.#awaitRoom();
  }

  /** What holds within an update may be half of a change. */
  #note({ serving }: Pick<Availability, "serving">): void {
    this.#servingToNote = this.#updates > 0;
    if (this.#servingToNote || this.#serving === serving) return;
    if (this.#serving !== undefined) this.#servingSince = this.#context.runtime.clock.wallNow();
    this.#serving = serving;
  }

  #hasToWait({ waitsFor, tried = [] }: Waiter): boolean {
    const { lists } = this;
    if (waitsFor !== undefined) return this.standing(waitsFor) === "later";
    if (tried.length === 0) return lists.candidates.length === 0 && lists.saturated;
    return candidatesExcept(lists, tried).length === 0 && this.mayFreeUp(tried);
  }

  #awaitRoom(): void {
    const { clock } = this.#context.runtime;
    const { queue, effectiveWeights } = this.#parts;
    clock.clearTimeout(this.#roomTimer);
    this.#roomTimer = undefined;
    const inMs = queue.depth > 0 && effectiveWeights.changesWithTime ? effectiveWeights.nextRoomMs() : Infinity;
    if (inMs !== Infinity) this.#roomTimer = clock.setTimeout(() => this.invalidate(), inMs);
  }
}

function isPickable({ available, weight }: Member): boolean {
  return available && weight > 0;
}
