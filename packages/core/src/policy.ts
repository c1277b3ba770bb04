/** What a balancing rule is, and all that it gets to know. */

import type { Random } from "./runtime/random.ts";

/** An upstream as a policy sees it: what it is worth and what it carries, and nothing of health or state. */
export interface Candidate {
  readonly id: string;
  readonly url: string;
  /** What to share by: the weight, times what slow start, feedback and the upstream's own word make of it. May be a fraction. */
  readonly effectiveWeight: number;
  /** Requests begun and not settled, and open tunnels. */
  readonly inFlight: number;
  /** A small integer, unique in the pool: the place of this upstream in the arrays that a policy keeps. */
  readonly slot: number;
  /** How it has answered lately. */
  readonly responsiveness: Responsiveness;
}

/** How an upstream has answered lately, as of a moment of the monotonic clock. Fades while nothing is heard of it. */
export interface Responsiveness {
  /** Milliseconds to the response headers, with peaks taken at once; 0 when nothing is known. */
  costAt(now: number): number;
  /** Share of attempts that did not fail, 0 to 1; 1 when nothing is known. */
  successAt(now: number): number;
}

/** What a policy may know when it picks. */
export interface PickContext {
  /**
   * At least one; all of them may be picked, and none of them has been tried for this request. As long as it is the same
   * list, its members and their weights are the same: a policy may keep what it has made of it.
   */
  readonly candidates: readonly Candidate[];
  /** What a hashing policy hashes; undefined when the request has none. */
  readonly key: string | undefined;
  /** Chance. A policy that takes it from here can be replayed. */
  readonly random: Random;
  /** The time on the monotonic clock, in milliseconds. */
  readonly now: number;
}

/**
 * A way to choose one of several upstreams.
 *
 * It honours `effectiveWeight`, sees only upstreams that may be picked, and never sees health. An instance serves one
 * balancer and may keep state.
 */
export interface Policy {
  /** What snapshots and metrics call it. */
  readonly name: string;
  /** Returns one of the candidates; anything else, and whatever it throws, fails the request. */
  pick(context: PickContext): Candidate;
  /** How likely each candidate is to be picked next, in their order, and why. Changes nothing. Default: by weight. */
  weigh?(context: PickContext): readonly Weighed[];
}

/** What a policy thinks of a candidate. */
export interface Weighed {
  /** 0 to 1, over all candidates 1. */
  readonly chance: number;
  /** In words, with the figures that decide. */
  readonly because: string;
}
