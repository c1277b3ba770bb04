import type { ResolvedPool } from "../../config/resolved.ts";
import { SlidingSum } from "../../runtime/sliding-sum.ts";
import type { Outage } from "../availability/outage.ts";
import type { WaitQueue } from "../availability/wait-queue.ts";
import type { PoolContext } from "../pool-context.ts";
import type { Member } from "../upstream.ts";
import type { RetryBudget } from "./retry-budget.ts";

/**
 * The limits that several processes can share. `maxInFlight` and `connections` belong to an upstream, `queue` and `retries` to
 * a pool. `retries` is the part of a retry budget that does not depend on traffic: `retry.minRetriesPerSecond` over its window.
 */
export type SharedLimit = "maxInFlight" | "connections" | "queue" | "retries";

/** A limit of a pool, or of one of its upstreams. */
export interface SharedLimitKey {
  readonly pool: string;
  /** The id of the upstream. Undefined for a limit of the pool. */
  readonly upstream?: string | undefined;
  readonly limit: SharedLimit;
}

/** Where a pool looks up its shares of limits that hold for several processes together. */
export interface Shares {
  /** This process's part of a limit, at most `total`. */
  shareOf(key: SharedLimitKey, total: number): number;
  /** A request waits for a place or was refused for want of one. Called often: on the path of that request. */
  onShort(): void;
}

/** What is used of a limit; see `LimitUse` in group-limits/limit-messages.ts. */
export interface Use extends SharedLimitKey {
  readonly total: number;
  readonly share: number;
  readonly held: number;
  readonly wanted: number;
}

/** Milliseconds for which a refused request counts as one that a place is wanted for. */
const refusalMs = 1_000;

/** The parts of a pool that have limits. */
interface Parts {
  readonly queue: WaitQueue;
  readonly retryBudget: RetryBudget;
  readonly outage: Outage;
}

/**
 * The limits of a pool as they hold in this process: those of the options, or, from `divide` on, its shares of them.
 *
 * A share changes at any time, in one step with what follows: requests that wait for a place are woken, idle connections above
 * the share are closed. Requests in flight and waiting requests above a lowered share go on.
 */
export class PoolLimits {
  readonly #context: PoolContext;
  readonly #parts: Parts;
  readonly #members: () => readonly Member[];
  #divided: { readonly shares: Shares; readonly refusals: SlidingSum; readonly retryRefusals: SlidingSum } | undefined;

  constructor(context: PoolContext, parts: Parts, members: () => readonly Member[]) {
    this.#context = context;
    this.#parts = parts;
    this.#members = members;
  }

  /** Shares the limits with other processes from now on. */
  divide(shares: Shares): void {
    const { clock } = this.#context.runtime;
    const refusals = new SlidingSum(refusalMs, clock);
    this.#divided = { shares, refusals, retryRefusals: new SlidingSum(refusalMs, clock) };
    this.#parts.queue.onShort = (refused) => {
      if (refused) refusals.add(1);
      shares.onShort();
    };
    this.#parts.queue.elsewhere = () => this.#elsewhere();
    this.refresh();
  }

  reconfigure(options: ResolvedPool): void {
    this.#parts.retryBudget.options = options.retry;
    this.#parts.queue.options = options.queue;
    this.#limitPool();
  }

  /** Looks up the shares of the pool anew, and those of these upstreams. Default: of all. */
  refresh(upstreams?: ReadonlySet<string>): void {
    if (this.#divided === undefined) return;
    this.#limitPool();
    for (const member of this.#members()) {
      if (upstreams === undefined || upstreams.has(member.id)) this.limit(member);
    }
    this.#context.changed();
  }

  /** Applies the shares to a member, which is new or has new options. The caller drops the lists of candidates. */
  limit(member: Member): void {
    const { id: upstream, maxInFlight } = member;
    const { name: pool } = this.#context;
    const shares = this.#divided?.shares;
    const isShared = shares !== undefined && maxInFlight !== Infinity;
    member.inFlightShare = isShared ? shares.shareOf({ pool, upstream, limit: "maxInFlight" }, maxInFlight) : undefined;
    member.inFlightLimit = member.inFlightShare ?? maxInFlight;
    this.limitConnections(member);
  }

  /** Call it also for a transport that is new. */
  limitConnections({ id: upstream, transport }: Member): void {
    const shares = this.#divided?.shares;
    const { name: pool, options } = this.#context;
    const { max } = options.connections;
    if (shares === undefined || max === 0) return;
    const share = shares.shareOf({ pool, upstream, limit: "connections" }, max);
    transport?.limitConnections(share, () => shares.onShort());
  }

  /** A member has reached its limit. */
  onFull({ inFlightShare, maxInFlight }: Member): void {
    if (inFlightShare !== undefined && inFlightShare < maxInFlight) this.#divided?.shares.onShort();
  }

  /** What is used of each limit that is divided. */
  *uses(): Iterable<Use> {
    if (this.#divided === undefined) return;
    const { shares, refusals, retryRefusals } = this.#divided;
    const { queue, retryBudget, outage } = this.#parts;
    const { name: pool, options } = this.#context;
    const { connections } = options;
    const use = (limit: SharedLimit, total: number, held: number, wanted: number, upstream?: string): Use => {
      const key = { pool, upstream, limit };
      return { ...key, total, share: shares.shareOf(key, total), held, wanted };
    };
    if (queue.options.max > 0) {
      const held = Math.max(queue.queued, outage.depth);
      const lacking = queue.depth - queue.queued + refusals.total;
      yield use("queue", queue.options.max, held, held + lacking);
    }
    if (retryBudget.fixed > 0) {
      const held = retryBudget.fixedUsed;
      yield use("retries", retryBudget.fixed, held, held + retryRefusals.total);
    }
    const members = this.#members();
    const waiting = queue.depth + refusals.total;
    const busy = waiting > 0 || members.some(({ inFlight }) => inFlight > 0);
    for (const member of members) {
      const { id, inFlight, inFlightShare, maxInFlight, transport } = member;
      if (inFlightShare !== undefined) {
        yield use("maxInFlight", maxInFlight, inFlight, inFlight + lacking(member, waiting, busy), id);
      }
      if (connections.max === 0) continue;
      const { open, wanted } = transport?.connectionUse ?? { open: 0, wanted: 0 };
      yield use("connections", connections.max, open, wanted, id);
    }
  }

  /** The places of upstreams and of the queue that other processes may have. */
  #elsewhere(): number {
    const { queue } = this.#parts;
    let places = queue.options.max - queue.max;
    for (const { inRotation, maxInFlight, inFlightShare = maxInFlight } of this.#members()) {
      if (inRotation && inFlightShare < maxInFlight) places += maxInFlight - inFlightShare;
    }
    return places;
  }

  #limitPool(): void {
    if (this.#divided === undefined) return;
    const { shares, retryRefusals } = this.#divided;
    const { queue, retryBudget } = this.#parts;
    const { name: pool } = this.#context;
    queue.share = shares.shareOf({ pool, limit: "queue" }, queue.options.max);
    retryBudget.setShare(shares.shareOf({ pool, limit: "retries" }, retryBudget.fixed), () => {
      retryRefusals.add(1);
      shares.onShort();
    });
  }
}

/** The places that a member is short of. Every waiting request counts, since it may be bound to this member. */
function lacking({ inFlight, inFlightLimit, state, inRotation }: Member, waiting: number, busy: boolean): number {
  if (inFlight < inFlightLimit || state === "disabled") return 0;
  return Math.max(waiting, inRotation && busy ? 1 : 0);
}
