import type { PoolLimits, SharedLimitKey, Shares, Use } from "../pool/limits/pool-limits.ts";
import { backgroundClock } from "../runtime/async-context.ts";
import type { Clock, Timer } from "../runtime/clock.ts";
import { configure, type HeldShare, inForce, newHeldShare } from "./held-share.ts";
import {
  type LimitGrant,
  type LimitReport,
  type LimitShare,
  type LimitStart,
  type LimitUse,
  limitKeyOf,
} from "./limit-messages.ts";

/** The least milliseconds between two reports, also while a limit is contested. */
const reportMs = 10;

/** The additional milliseconds for each limit of the proxy, so that many of them cost little CPU time; and the most of all. */
const reportMsPerLimit = 0.05;
const maxReportMs = 250;

/** Milliseconds between two reports of all limits. They repair what a lost report has left. */
const fullReportMs = 1_000;

/** Milliseconds after which a use that is short of a share is reported again without a change. */
const repeatMs = 100;

/** A pool of the proxy. */
interface LimitedPool {
  readonly limits: PoolLimits;
}

/** What was reported last of a limit. */
interface Reported extends Pick<Use, "total" | "held" | "wanted"> {
  readonly short: boolean;
  readonly at: number;
}

/** The participant's state in its group. */
interface Membership {
  readonly start: LimitStart;
  readonly send: (report: LimitReport) => void;
  /** By key. */
  readonly shares: Map<string, HeldShare>;
  /** The keys of contested limits. */
  readonly contested: Set<string>;
  /** By key. */
  reported: Map<string, Reported>;
  /** The `seq` of the last grant, and that of the last report. */
  applied: number;
  confirmed: number;
  /** The number of reports. */
  count: number;
  reportedAt: number;
  fullReportAt: number;
}

/**
 * The shares of a proxy in the limits of its group, as `proxy.limitShares`.
 *
 * `maxInFlight` and `connections.max` of an upstream, `queue.max` and `minRetriesPerSecond` of a pool then hold for the whole
 * group: see docs/balancing.md. Without `begin` they hold for this proxy alone, at no cost.
 */
export class LimitShares implements Shares {
  readonly #clock: Clock;
  readonly #pools: () => ReadonlyMap<string, LimitedPool>;
  #group: Membership | undefined;
  #timer: Timer;
  #timerAt = Infinity;

  constructor(clock: Clock, pools: () => ReadonlyMap<string, LimitedPool>) {
    this.#clock = backgroundClock(clock);
    this.#pools = pools;
  }

  /**
   * Makes the proxy a participant of a group. Call it before the first request. `send` passes a report on to the grantor: soon
   * after a request had to wait for a share or was refused for want of one, after `apply`, and each second. It must not throw.
   */
  begin(start: LimitStart, send: (report: LimitReport) => void): void {
    this.#group = {
      start,
      send,
      shares: new Map(),
      contested: new Set(),
      reported: new Map(),
      applied: 0,
      confirmed: 0,
      count: 0,
      reportedAt: -Infinity,
      fullReportAt: -Infinity,
    };
    store(this.#group, start.shares);
    for (const pool of this.#pools().values()) this.divide(pool);
    this.#reportAt(this.#clock.now());
  }

  /** Puts a grant in force. An older one than the last has no effect. */
  apply({ seq, shares }: LimitGrant): void {
    const group = this.#group;
    if (group === undefined) return;
    if (seq > group.applied) {
      group.applied = seq;
      store(group, shares);
      const changed = new Map<string, Set<string>>();
      for (const { pool, upstream } of shares) {
        const upstreams = changed.get(pool) ?? new Set();
        if (upstream !== undefined) upstreams.add(upstream);
        changed.set(pool, upstreams);
      }
      for (const [pool, upstreams] of changed) this.#pools().get(pool)?.limits.refresh(upstreams);
    }
    // A grant that arrives again was not confirmed.
    group.confirmed = -1;
    this.#reportAt(this.#clock.now());
  }

  /** Ends the reports. The shares stay as they are. */
  stop(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timerAt = -Infinity;
  }

  // Called by the proxy and its pools.

  /** Applies the shares to a pool that is new. */
  divide({ limits }: LimitedPool): void {
    if (this.#group !== undefined) limits.divide(this);
  }

  shareOf(key: SharedLimitKey, total: number): number {
    const group = this.#group;
    if (group === undefined) return total;
    const held = heldOf(group, limitKeyOf(key));
    configure(held, total, group.start);
    return inForce(held, group.start);
  }

  onShort(): void {
    if (this.#group !== undefined) this.#reportAt(this.#group.reportedAt + intervalOf(this.#group));
  }

  #reportAt(at: number): void {
    if (at >= this.#timerAt) return;
    this.#clock.clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = this.#clock.setTimeout(() => this.#report(), at - this.#clock.now());
  }

  #report(): void {
    this.#timerAt = Infinity;
    const group = this.#group;
    if (group === undefined) return;
    const now = this.#clock.now();
    // A timer may fire early by the rounding of its time.
    const full = now + 1 > group.fullReportAt + fullReportMs;
    const { uses, watched, news } = full ? this.#allUses(group, now) : this.#changedUses(group, now);
    if (full) group.fullReportAt = now;
    if (news || group.confirmed !== group.applied) {
      group.confirmed = group.applied;
      group.reportedAt = now;
      group.count++;
      group.send({ count: group.count, applied: group.applied, full, uses });
    }
    const nextAt = watched || group.contested.size > 0 ? now + intervalOf(group) : Infinity;
    this.#reportAt(Math.min(nextAt, group.fullReportAt + fullReportMs));
  }

  #allUses(group: Membership, now: number) {
    const reported = new Map<string, Reported>();
    const uses: LimitUse[] = [];
    let watched = false;
    for (const use of this.#uses()) {
      reported.set(limitKeyOf(use), reportedOf(use, now));
      watched ||= isShort(use) || isOver(use);
      uses.push(use);
    }
    group.reported = reported;
    // Of a limit that no pool has any more, only what was granted has to be known.
    for (const [key, { share }] of group.shares) if (share === null && !reported.has(key)) group.shares.delete(key);
    return { uses, watched, news: true };
  }

  /**
   * What has changed of limits that are contested or that it is short of, and always what holds more than its share or has
   * another one than was granted. `news`: there is a reason to send it now.
   */
  #changedUses(group: Membership, now: number) {
    const uses: LimitUse[] = [];
    let watched = false;
    let news = false;
    for (const use of this.#uses()) {
      const key = limitKeyOf(use);
      const last = group.reported.get(key);
      const short = isShort(use);
      const over = isOver(use);
      watched ||= short || over;
      const relevant = short || over || last?.short === true || group.contested.has(key);
      const changed =
        last === undefined || use.held !== last.held || use.wanted !== last.wanted || use.total !== last.total;
      const isNews = relevant && (changed || (short && now - last.at >= repeatMs));
      news ||= isNews;
      if (!isNews && !over && !differs(group.shares.get(key))) continue;
      if (isNews) group.reported.set(key, reportedOf(use, now));
      uses.push(use);
    }
    return { uses, watched, news };
  }

  *#uses(): Iterable<Use> {
    for (const { limits } of this.#pools().values()) {
      for (const use of limits.uses()) yield { ...use, wanted: Math.min(use.wanted, Math.max(use.total, use.held)) };
    }
  }
}

function heldOf({ shares }: Membership, key: string): HeldShare {
  let held = shares.get(key);
  if (held === undefined) {
    held = newHeldShare();
    shares.set(key, held);
  }
  return held;
}

/** Takes over what was granted. A share of a larger limit than the participant's own does not raise the share in force. */
function store(group: Membership, shares: readonly LimitShare[]): void {
  for (const granted of shares) {
    const key = limitKeyOf(granted);
    const held = heldOf(group, key);
    const { share, total, since } = granted;
    if (since <= held.since) continue;
    held.since = since;
    const tooMuch = share !== null && held.own !== undefined && total > held.own;
    held.share = tooMuch ? Math.min(share, inForce(held, group.start)) : share;
    held.of = tooMuch ? (held.own as number) : total;
    held.granted = share;
    held.lowered = tooMuch;
    if (granted.contested) group.contested.add(key);
    else group.contested.delete(key);
  }
}

/** It could use places that another participant has. */
function isShort({ wanted, share, total }: Use): boolean {
  return wanted > share && share < total;
}

/** A reload has lowered the share. */
function differs(held: HeldShare | undefined): boolean {
  return held !== undefined && held.share !== held.granted;
}

function isOver({ held, share }: Use): boolean {
  return held > share;
}

function reportedOf(use: Use, at: number): Reported {
  const { total, held, wanted } = use;
  return { total, held, wanted, short: isShort(use), at };
}

function intervalOf({ reported }: Membership): number {
  return Math.min(maxReportMs, reportMs + reportMsPerLimit * reported.size);
}
