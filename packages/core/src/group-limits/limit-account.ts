import type { SharedLimitKey } from "../pool/limits/pool-limits.ts";
import { type Claim, divide } from "./divide.ts";
import type { LimitShare, LimitStart } from "./limit-messages.ts";
import { Part } from "./limit-part.ts";

/** Milliseconds for which a limit counts as contested after the last participant that was short of it. */
const contestedMs = 1_000;

/** The least milliseconds between two divisions of what no participant is short of. */
const calmMs = 1_000;

/** One limit of the group with the part of each participant. */
export class LimitAccount {
  /** See `limitKeyOf`. */
  readonly name: string;
  readonly #key: SharedLimitKey;
  readonly #parts = new Map<string, Part>();
  /** The largest total that a participant has now, or had when it last had this limit. */
  largestTotal = 0;
  #contestedUntil = -Infinity;
  #calmAt = -Infinity;
  contested = false;
  /** No participant has this limit any more, and all have confirmed that their part is the even one again. */
  forgotten = false;

  constructor(name: string, { pool, upstream, limit }: SharedLimitKey) {
    this.name = name;
    this.#key = { pool, upstream, limit };
  }

  /** Adds a participant that has joined before the limit was known: its part may be the even one already. */
  assume(id: string, place: Pick<LimitStart, "slot" | "slots">): Part {
    return this.#add(new Part(this, id, place, null));
  }

  /** Adds a participant that has not begun yet. Its part is at most what is left. */
  join(id: string, place: Pick<LimitStart, "slot" | "slots">): Part {
    const totals = [...this.#parts.values()].map(({ total }) => total ?? Infinity);
    const total = Math.min(this.largestTotal, ...totals);
    const free = Math.max(0, total - this.#mayHold);
    const part = new Part(this, id, place, 0);
    part.granted = Math.min(part.evenShare, free);
    part.grantedOf = total;
    part.contested = this.contested;
    return this.#add(part);
  }

  leave(id: string): void {
    this.#parts.delete(id);
  }

  shareOf({ granted, contested, grantedOf, seq }: Part): LimitShare {
    return { ...this.#key, share: granted, total: grantedOf, since: seq, contested };
  }

  /** Divides the limit anew. Returns the parts that have changed, to be sent to their participants. */
  divide(now: number): readonly Part[] {
    const parts = [...this.#parts.values()];
    const totals = parts.flatMap(({ total }) => total ?? []);
    if (totals.length === 0) return this.#forget(parts);
    this.largestTotal = Math.max(...totals);
    const total = Math.min(...totals);
    const reserve = Math.floor(total / (2 * parts.length));
    const claims = parts.map((part) => claimOf(part, part.demand(reserve, now)));
    const short = claims.some(({ demand, share }) => demand > share && share < total);
    if (short) this.#contestedUntil = now + contestedMs;
    this.contested = now < this.#contestedUntil;
    const { parts: targets, level } = divide(total, claims, now);
    const uneven = now >= this.#calmAt && claims.some((claim, index) => lacksRoom(claim, targets[index] as number));
    const due = short || uneven || this.#mayHold > total || parts.some((part) => part.outdated(total));
    const changed = due ? this.#move(parts, targets, total) : [];
    if (changed.length > 0) this.#calmAt = now + calmMs;
    for (const [index, part] of parts.entries()) part.ranked(level, (claims[index] as Claim).demand, now);
    // To grant a share again would raise one that a reload has lowered in the participant.
    if (this.#mayHold > total) return changed;
    for (const part of parts) {
      if (part.pending || part.contested === this.contested || changed.includes(part)) continue;
      part.grant(part.granted, part.grantedOf, this.contested);
      changed.push(part);
    }
    return changed;
  }

  /** Lowers what is above its target, and raises the others by what is left. A change that is not confirmed is left alone. */
  #move(parts: readonly Part[], targets: readonly number[], total: number): Part[] {
    const changed: Part[] = [];
    const change = (part: Part, share: number) => {
      part.grant(share, total, this.contested);
      changed.push(part);
    };
    for (const [index, part] of parts.entries()) {
      const target = targets[index] as number;
      if (part.pending) continue;
      if (part.outdated(total)) change(part, Math.min(target, part.share, part.evenShareOf(total)));
      else if (part.share > target) change(part, target);
    }
    let free = total - this.#mayHold;
    // Not even up to what a participant holds: it may hold less by now.
    if (free < 0) return changed;
    const raised = [...parts.keys()].filter((index) => (parts[index] as Part).share < (targets[index] as number));
    const since = (index: number) => (parts[index] as Part).behindSince ?? Number.MAX_VALUE;
    for (const index of raised.sort((a, b) => since(a) - since(b) || a - b)) {
      const part = parts[index] as Part;
      const { share, mayHold } = part;
      const to = Math.min(targets[index] as number, mayHold + free);
      if (part.pending || to <= share) continue;
      free -= Math.max(0, to - mayHold);
      change(part, to);
    }
    return changed;
  }

  /** The limit is gone: the even parts are restored, so that nothing of it has to be remembered. */
  #forget(parts: readonly Part[]): readonly Part[] {
    this.contested = false;
    this.forgotten = parts.every((part) => part.granted === null && !part.pending);
    if (this.forgotten) return [];
    const changed: Part[] = [];
    const open = parts.filter((part) => part.granted !== null && !part.pending);
    for (const part of open) {
      const fits = part.evenShare <= part.mayHold || this.#mayHold - part.mayHold + part.evenShare <= this.largestTotal;
      if (!fits) continue;
      part.grant(null, this.largestTotal, false);
      changed.push(part);
    }
    return changed;
  }

  #add(part: Part): Part {
    this.#parts.set(part.id, part);
    return part;
  }

  get #mayHold(): number {
    let sum = 0;
    for (const { mayHold } of this.#parts.values()) sum += mayHold;
    return sum;
  }
}

/** Has less than half of the room for more that an even division would leave it. */
function lacksRoom({ share, demand }: Claim, target: number): boolean {
  return share < demand + Math.floor((target - demand) / 2);
}

function claimOf({ share, aheadSince, behindSince }: Part, demand: number): Claim {
  return { demand, share, aheadSince, behindSince };
}
