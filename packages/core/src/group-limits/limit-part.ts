import type { LimitAccount } from "./limit-account.ts";
import { evenPart, type LimitStart, type LimitUse } from "./limit-messages.ts";

/** Milliseconds for which a participant that has stopped using a limit keeps a small part while others wait. */
const reserveMs = 1_000;

/** The part of one participant in one limit. */
export class Part {
  readonly account: LimitAccount;
  readonly id: string;
  readonly #place: Pick<LimitStart, "slot" | "slots">;
  /** The share last granted. Null: the even part. */
  granted: number | null;
  /** The limit of which that is a share. */
  grantedOf = 0;
  /** The share before, while the participant has not confirmed the last one. */
  #before: number | null | undefined;
  /** The grant of the last change. */
  seq = 0;
  contested = false;
  /** The limit of the group as the participant has it. Undefined: it has no such limit, or has reported none yet. */
  total: number | undefined;
  held = 0;
  wanted = 0;
  #peak = 0;
  #peakAt = -Infinity;
  /** See `Claim`. */
  aheadSince: number | undefined;
  behindSince: number | undefined;

  constructor(account: LimitAccount, id: string, place: Pick<LimitStart, "slot" | "slots">, granted: number | null) {
    this.account = account;
    this.id = id;
    this.#place = place;
    this.granted = granted;
  }

  get share(): number {
    return this.#inNumbers(this.granted);
  }

  get evenShare(): number {
    return this.evenShareOf(this.total ?? this.account.largestTotal);
  }

  evenShareOf(total: number): number {
    return evenPart(total, this.#place);
  }

  /** Its share is one of a larger total than the present one: the participant lowers it to the even one, or has done so. */
  outdated(total: number): boolean {
    return (this.granted === null ? (this.total ?? 0) : this.grantedOf) > total;
  }

  /** The most that the participant may hold, whatever messages are on their way. */
  get mayHold(): number {
    return Math.max(this.#inForce, this.held);
  }

  get over(): boolean {
    return this.held > this.share;
  }

  /** Notes from when on it is ahead of others or behind them. `level`: see `Division`. */
  ranked(level: number, demand: number, now: number): void {
    const isAhead = this.share > level;
    this.aheadSince = isAhead ? (this.aheadSince ?? now) : undefined;
    this.behindSince = !isAhead && demand > this.share ? (this.behindSince ?? now) : undefined;
  }

  /** The participant has not confirmed the last change. */
  get pending(): boolean {
    return this.#before !== undefined;
  }

  /** The places that it is short of, or that it has used a moment ago: at most `reserve` of those. */
  demand(reserve: number, now: number): number {
    if (this.total === undefined) return 0;
    const recent = now - this.#peakAt < reserveMs ? this.#peak : 0;
    return Math.max(this.wanted, Math.min(recent, reserve));
  }

  grant(share: number | null, of: number, contested: boolean): void {
    this.#before = this.granted;
    this.granted = share;
    this.grantedOf = of;
    this.contested = contested;
  }

  confirmed(): void {
    this.#before = undefined;
  }

  reported({ total, share, held, wanted }: LimitUse, now: number): void {
    this.total = total;
    if (!this.pending && share < this.share) {
      this.grantedOf = this.granted === null ? total : Math.min(this.grantedOf, total);
      this.granted = share;
    }
    this.held = held;
    this.wanted = Math.min(wanted, total);
    if (this.wanted >= this.#peak || now - this.#peakAt >= reserveMs) this.#peak = this.wanted;
    if (this.wanted === this.#peak) this.#peakAt = now;
  }

  /** A report has not listed it. `gone`: the participant has no such limit. */
  notReported(gone: boolean): void {
    if (gone) {
      this.total = undefined;
      this.held = 0;
      this.wanted = 0;
    } else {
      this.held = Math.min(this.held, this.#inForce);
    }
  }

  /** The largest share that may be in force. */
  get #inForce(): number {
    return Math.max(this.share, this.#before === undefined ? 0 : this.#inNumbers(this.#before));
  }

  #inNumbers(share: number | null): number {
    return share ?? this.evenShare;
  }
}
