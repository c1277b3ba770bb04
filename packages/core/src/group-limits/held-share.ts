import { evenPart, type LimitStart } from "./limit-messages.ts";

type Slot = Pick<LimitStart, "slot" | "slots">;

/** The share of a participant in a limit. */
export interface HeldShare {
  /** The limit of the group in this participant. Undefined before a pool has it. */
  own: number | undefined;
  /** The share in force, and the limit of the group of which it is one. Null: the even part of `own`. */
  share: number | null;
  of: number;
  /** The share granted last. */
  granted: number | null;
  /** The grant that had it first. */
  since: number;
  /** A share was in force already. */
  used: boolean;
  /** A reload has lowered the limit since the last grant. */
  lowered: boolean;
}

export function newHeldShare(): HeldShare {
  return { own: undefined, share: null, of: Infinity, granted: null, since: -1, used: false, lowered: false };
}

/**
 * Takes over the limit of a reload. What participants hold may be above a limit that was lowered, so that the even part does not
 * rise with the next reload: only a grant raises it.
 */
export function configure(held: HeldShare, total: number, start: Slot): void {
  const before = held.own ?? total;
  if (total > before && held.share === null && held.lowered) {
    held.share = evenPart(before, start);
    held.of = before;
  }
  held.lowered ||= total < before;
  held.own = total;
}

/**
 * The share in force. When a reload has lowered the limit of the group, a share of the larger limit is at most the even part
 * from then on: so the shares of all participants add up to no more than the smaller limit, before any message has arrived.
 */
export function inForce(held: HeldShare, start: Slot): number {
  const { own = Infinity } = held;
  if (held.share === null) {
    held.used ||= held.own !== undefined;
    return evenPart(own, start);
  }
  if (held.of > own) {
    // A share from the start that was one of a larger limit may have been given to others since.
    held.share = held.used ? Math.min(held.share, evenPart(own, start)) : 0;
    held.of = own;
  }
  held.used ||= held.own !== undefined;
  return held.share;
}
