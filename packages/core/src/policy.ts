/** The interface of a balancing policy, and all the data that it receives. */

import type { Random } from "./runtime/random.ts";

/** An upstream as a policy sees it: its weight, load and latency, but not its health or state. */
export interface Candidate {
  readonly id: string;
  readonly url: string;
  /** The weight multiplied by the factors of slow start, feedback and announced load. It can be a fraction. */
  readonly effectiveWeight: number;
  /** Requests in flight and open tunnels. */
  readonly inFlight: number;
  /** A small integer, unique in the pool: the index of this upstream in arrays that a policy keeps. */
  readonly slot: number;
  /** Its recent latency and success rate. */
  readonly responsiveness: Responsiveness;
}

/** The recent latency and success rate of an upstream at a time of the monotonic clock. Both decay without new responses. */
export interface Responsiveness {
  /** Milliseconds to the response headers: a peak-sensitive moving average. 0 if unknown. */
  costAt(now: number): number;
  /** The share of attempts that did not fail, 0 to 1. 1 if unknown. */
  successAt(now: number): number;
}

/** The data that a policy may use for a pick. */
export interface PickContext {
  /**
   * At least one upstream. Each of them may be picked, and none of them has been tried for this request. While the array is
   * the same object, its members and their weights are the same, so a policy may cache what it derives from the array.
   */
  readonly candidates: readonly Candidate[];
  /** The hash key of the request. Undefined if the request has none. */
  readonly key: string | undefined;
  /** The random source. A policy that uses no other can be replayed. */
  readonly random: Random;
  /** The time of the monotonic clock in milliseconds. */
  readonly now: number;
}

/**
 * A balancing policy picks one of several upstreams.
 *
 * It honours `effectiveWeight`. It sees only upstreams that may be picked, and never their health. An instance serves one
 * balancer and may keep state.
 */
export interface Policy {
  /** The name in snapshots and metrics. */
  readonly name: string;
  /** Returns one of the candidates. If it returns anything else or throws, the request fails with `policy_failed`. */
  pick(context: PickContext): Candidate;
  /** Returns for each candidate, in their order, the probability of the next pick. Changes no state. Default: by weight. */
  weigh?(context: PickContext): readonly Weighed[];
}

/** The probability that a policy picks a candidate, with its reason. */
export interface Weighed {
  /** 0 to 1. The sum over all candidates is 1. */
  readonly chance: number;
  /** The reason in words, with the figures that decide. */
  readonly because: string;
}
