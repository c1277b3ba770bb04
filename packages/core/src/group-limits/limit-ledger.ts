/**
 * Divides the limits of a group among its participants by what they report. Pure: it sends nothing and has no timers.
 *
 * The bound, at every moment and for each limit: the sum over the participants of the larger of share in force and places held
 * is at most the limit. After a reload that has lowered the limit, the sum is at most what it was before and does not rise
 * until it is below; while participants have different limits during a reload, the largest of them counts.
 *
 * Why it holds: what a participant may hold is at most the largest of its share, its share before as long as the change is not
 * confirmed, and what it held at its last report. A share is raised only by what is left of the limit after that, and not at
 * all while the sum is above it. So nothing depends on when or whether a message arrives. A participant that is silent keeps
 * its share; one that has ended frees it at once. A limit that no participant was granted a share of is split evenly by slots.
 */

import type { Clock } from "../runtime/clock.ts";
import { LimitAccount } from "./limit-account.ts";
import {
  type LimitGrant,
  type LimitReport,
  type LimitShare,
  type LimitStart,
  type LimitUse,
  limitKeyOf,
} from "./limit-messages.ts";
import type { Part } from "./limit-part.ts";

/** Milliseconds after which a grant that is not confirmed is sent again. */
const resendMs = 250;

/** Milliseconds after which a contested limit is divided again without a report, since its places move on in turn. */
const turnCheckMs = 50;

/** A participant, as the grantor knows it. */
interface Participant {
  readonly slot: number;
  /** Its parts of the limits, by key. */
  readonly parts: Map<string, Part>;
  /** Its parts whose last change it has not confirmed. */
  readonly pending: Set<Part>;
  /** Its parts that held more than their share at the last report. */
  readonly over: Set<Part>;
  /** The `seq` of the last grant, and of the last one that it has confirmed. */
  seq: number;
  applied: number;
  sentAt: number;
  /** The `count` of its last report. */
  count: number;
}

export class LimitLedger {
  readonly #slots: number;
  readonly #clock: Pick<Clock, "now">;
  readonly #participants = new Map<string, Participant>();
  readonly #accounts = new Map<string, LimitAccount>();
  /** Accounts about which something was reported since they were last divided. */
  readonly #dirty = new Set<LimitAccount>();
  /** Accounts that have to be divided again without a report: their places move on in turn. */
  readonly #contested = new Set<LimitAccount>();
  #turnsCheckedAt = -Infinity;

  /** `slots` is the number of participants of a complete group. */
  constructor(slots: number, clock: Pick<Clock, "now">) {
    this.#slots = slots;
    this.#clock = clock;
  }

  /**
   * Adds a participant. What it returns has to be in force in the participant before it serves a request. The id must not be
   * that of a participant that still runs.
   */
  join(id: string): LimitStart {
    this.leave(id);
    const slot = this.#freeSlot();
    const slots = this.#slots;
    const participant: Participant = {
      slot,
      parts: new Map(),
      pending: new Set(),
      over: new Set(),
      seq: 0,
      applied: 0,
      sentAt: -Infinity,
      count: 0,
    };
    const shares: LimitShare[] = [];
    for (const [key, account] of this.#accounts) {
      const part = account.join(id, { slot, slots });
      participant.parts.set(key, part);
      shares.push(account.shareOf(part));
      this.#dirty.add(account);
    }
    this.#participants.set(id, participant);
    return { slot, slots, shares };
  }

  /** The participant has ended, or has never begun. What it held is free at once. */
  leave(id: string): void {
    if (!this.#participants.delete(id)) return;
    for (const account of this.#accounts.values()) {
      account.leave(id);
      this.#dirty.add(account);
    }
  }

  /** Takes in what a participant reports. Reports that arrive late or twice have no effect, nor have those of others. */
  report(id: string, report: LimitReport): void {
    const participant = this.#participants.get(id);
    if (participant === undefined || !(report.count > participant.count)) return;
    participant.count = report.count;
    this.#confirm(participant, report.applied);
    const listed = new Set<Part>();
    for (const use of report.uses) {
      if (!isPlausible(use)) continue;
      const part = this.#partOf(participant, use);
      part.reported(use, this.#clock.now());
      listed.add(part);
      this.#note(participant, part);
    }
    // What is not listed holds at most its share, and is unknown to the participant if the report is full.
    for (const part of report.full ? participant.parts.values() : [...participant.over]) {
      if (listed.has(part)) continue;
      part.notReported(report.full);
      this.#note(participant, part);
    }
  }

  /**
   * The grants to send now, by participant. Call it after each `report`, `join` and `leave`, and after `dueInMs`. A grant that
   * is not confirmed is due again.
   */
  due(): ReadonlyMap<string, LimitGrant> {
    const now = this.#clock.now();
    const changed = new Set<string>();
    if (now - this.#turnsCheckedAt >= turnCheckMs) {
      this.#turnsCheckedAt = now;
      for (const account of this.#contested) this.#dirty.add(account);
    }
    for (const account of this.#dirty) this.#divide(account, now, changed);
    this.#dirty.clear();
    const grants = new Map<string, LimitGrant>();
    for (const [id, participant] of this.#participants) {
      if (changed.has(id)) participant.seq++;
      else if (participant.pending.size === 0 || now - participant.sentAt < resendMs) continue;
      participant.sentAt = now;
      const shares = [...participant.pending].map((part) => part.account.shareOf(part));
      grants.set(id, { seq: participant.seq, shares });
    }
    return grants;
  }

  /** Milliseconds after which `due` may have something without another report. Infinity while nothing waits. */
  get dueInMs(): number {
    let at = this.#contested.size > 0 ? this.#turnsCheckedAt + turnCheckMs : Infinity;
    for (const { pending, sentAt } of this.#participants.values()) {
      if (pending.size > 0) at = Math.min(at, sentAt + resendMs);
    }
    return Math.max(0, at - this.#clock.now());
  }

  #divide(account: LimitAccount, now: number, changed: Set<string>): void {
    for (const part of account.divide(now)) {
      const participant = this.#participants.get(part.id) as Participant;
      part.seq = participant.seq + 1;
      participant.pending.add(part);
      changed.add(part.id);
    }
    if (account.contested) this.#contested.add(account);
    else this.#contested.delete(account);
    if (!account.forgotten) return;
    this.#accounts.delete(account.name);
    for (const { parts } of this.#participants.values()) parts.delete(account.name);
  }

  #confirm(participant: Participant, applied: number): void {
    if (!(applied > participant.applied && applied <= participant.seq)) return;
    participant.applied = applied;
    for (const part of participant.pending) {
      if (part.seq > applied) continue;
      part.confirmed();
      participant.pending.delete(part);
      this.#dirty.add(part.account);
    }
  }

  #note(participant: Participant, part: Part): void {
    if (part.over) participant.over.add(part);
    else participant.over.delete(part);
    this.#dirty.add(part.account);
  }

  /** The part of the participant, in a new account if the limit is not known yet. */
  #partOf(participant: Participant, use: LimitUse): Part {
    const name = limitKeyOf(use);
    const known = participant.parts.get(name);
    if (known !== undefined) return known;
    const account = new LimitAccount(name, use);
    this.#accounts.set(name, account);
    for (const [id, { slot, parts }] of this.#participants) {
      parts.set(name, account.assume(id, { slot, slots: this.#slots }));
    }
    return participant.parts.get(name) as Part;
  }

  #freeSlot(): number {
    const taken = new Set([...this.#participants.values()].map(({ slot }) => slot));
    let slot = 0;
    while (taken.has(slot)) slot++;
    return slot;
  }
}

/** Whether the numbers can be reckoned with. */
function isPlausible({ total, share, held, wanted }: LimitUse): boolean {
  return [total, share, held, wanted].every((count) => Number.isSafeInteger(count) && count >= 0);
}
