/**
 * The messages between the participants of a group and the grantor of its limits. A participant is a process that serves requests;
 * its part of a limit is its share.
 *
 * Messages may be lost, doubled, late or out of order: each one stands by itself, and is ignored if a newer one has arrived.
 */

import type { SharedLimitKey } from "../pool/limits/pool-limits.ts";

/** What a participant uses of a limit. All numbers are whole. */
export interface LimitUse extends SharedLimitKey {
  /** The limit of the whole group, from the participant's own configuration. */
  readonly total: number;
  /** The share that is in force: the one granted last, or less after a reload that has lowered `total`. */
  readonly share: number;
  /** The places that are taken. More than the share after the share was lowered, until they are released. */
  readonly held: number;
  /** The places that it could use now: those in use, and those that requests wait for or were refused for. */
  readonly wanted: number;
}

/** From a participant to the grantor. */
export interface LimitReport {
  /** Grows with each report of this participant. */
  readonly count: number;
  /** The `seq` of the last grant that is in force. 0 is that of the start. */
  readonly applied: number;
  /**
   * Lists every limit that the participant has. Otherwise those that have changed, all that hold more than their share, and all
   * whose share in force is not the one granted last.
   */
  readonly full: boolean;
  readonly uses: readonly LimitUse[];
}

export interface LimitShare extends SharedLimitKey {
  /** Null: the even part again, as for a limit for which there was no grant yet. */
  readonly share: number | null;
  /**
   * The limit of the group of which it is a share. A participant whose limit is smaller by a reload does not raise its share.
   */
  readonly total: number;
  /** The `seq` of the grant that had this change first. One that is in force already is not applied again. */
  readonly since: number;
  /** Another participant waits for a part of this limit: changes of its use are reported soon. */
  readonly contested: boolean;
}

/** From the grantor to a participant. */
export interface LimitGrant {
  /** Grows with each grant to this participant. */
  readonly seq: number;
  /** All shares that have changed since the last grant that the participant has confirmed. */
  readonly shares: readonly LimitShare[];
}

/** What a participant is given before it serves its first request. */
export interface LimitStart {
  /** Its part of every limit for which there was no grant is that of `slot` when the limit is split evenly into `slots`. */
  readonly slot: number;
  readonly slots: number;
  readonly shares: readonly LimitShare[];
}

/** The part of a slot when a limit is split evenly. The parts of all slots add up to `total`. */
export function evenPart(total: number, { slot, slots }: Pick<LimitStart, "slot" | "slots">): number {
  if (slot >= slots) return 0;
  return Math.floor(total / slots) + (slot < total % slots ? 1 : 0);
}

/** A string that is the same for the same limit. Names of pools and ids of upstreams have no spaces. */
export function limitKeyOf({ pool, upstream, limit }: SharedLimitKey): string {
  return upstream === undefined ? `${limit} ${pool}` : `${limit} ${pool} ${upstream}`;
}
