/**
 * The port through which the proxies of a group share state: workers of one machine, or processes on several machines.
 *
 * Each process with a proxy is a participant. They share two kinds of state, and for each kind there is a rule by which all
 * participants reach the same state, whatever the order, the delay and the number of times in which updates arrive:
 *
 * - Intent is what operators set: weights, states, members. One register for each upstream and field, the last writer wins.
 * - Evidence is what participants observe: verdicts of probes, failures, ejections. Each participant writes its own only. All
 *   of it is combined when it is read, so no observation overwrites that of another participant.
 *
 * Nothing waits for another participant. One that is cut off goes on with what it knows.
 */

import type { Duration, UpstreamOptions } from "../config/options.ts";
import type { Health, UpstreamState } from "../events.ts";

export interface Coordination {
  /** The id of this participant. No other participant of the group has it, and no earlier process had it. */
  readonly self: string;
  /**
   * Names the configuration that this participant runs. Upstreams that were added or removed by an operator apply only where
   * the same configuration runs. Weights and states apply with every configuration that they fit.
   */
  readonly generation: string;
  /** The ids of all participants, this one included. */
  participants(): readonly string[];
  /** Whether this participant probes an upstream for the group. It may be true in several participants. */
  isProber(pool: string, upstream: string): boolean;
  /** The current registers. */
  intent(): readonly IntentEntry[];
  /** Stamps changes, publishes them as one update, and returns them. */
  write(changes: readonly IntentChange[]): readonly IntentEntry[];
  /** What the participants have last reported about an upstream: of each participant at most one of each kind. */
  evidence(pool: string, upstream: string): readonly Evidence[];
  /** Replaces this participant's own evidence of the same kinds, and publishes it as one update. */
  report(observations: readonly Observation[]): void;
  /** Returns the function that ends the subscription. */
  subscribe(listener: CoordinationListener): () => void;
}

/** What a subscriber receives: not what its own participant has written or reported. */
export interface CoordinationListener {
  /** Registers that were changed by other participants. */
  readonly intent?: (entries: readonly IntentEntry[]) => void;
  /** New evidence of other participants. */
  readonly evidence?: (evidence: readonly Evidence[]) => void;
  /** Participants have come or gone, or others probe from now on. */
  readonly participants?: () => void;
}

/** A hybrid logical clock's time. A stamp is later than every stamp that its writer had seen. */
export interface Stamp {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Orders stamps of the same millisecond. */
  readonly count: number;
  /** The participant. Decides between stamps that are otherwise equal. */
  readonly by: string;
}

interface About {
  readonly pool: string;
  /** The id of the upstream. */
  readonly upstream: string;
}

/** What an operator sets for an upstream. A later `member` ends the weight and the state that an operator set before it. */
export type IntentChange = About &
  (
    | { readonly field: "weight"; readonly value: WeightIntent }
    | { readonly field: "state"; readonly value: StateIntent }
    | { readonly field: "member"; readonly value: MemberIntent }
  );

export type IntentEntry = IntentChange & { readonly stamp: Stamp };

export interface WeightIntent {
  /** The server that is meant. Another one with the same id keeps its own weight. */
  readonly url: string;
  readonly weight: number;
  /** It replaces this configured weight. Where another one is configured, that one applies. */
  readonly configured: number;
}

export interface StateIntent {
  readonly url: string;
  readonly state: UpstreamState;
  /** From the time of the stamp; see `Pool.setState`. */
  readonly timeout?: Duration;
}

export interface MemberIntent {
  /** Null removes the upstream. */
  readonly options: UpstreamOptions | null;
  /** Of the participant that wrote it; see `Coordination`. */
  readonly generation: string;
}

/** What a participant observes of an upstream. Times are milliseconds since 1970 on the participant's clock. */
export type Observation = About &
  (
    | ({ readonly kind: "verdict" } & Verdict)
    /** A probe has succeeded that began at `at`. Reported only while some participant distrusts the upstream. */
    | { readonly kind: "probe"; readonly at: number }
    /** The participant's own requests fail because of the upstream. A hint to probe soon. */
    | { readonly kind: "failure"; readonly at: number }
    /** The participant has ejected the upstream; 0 once it has readmitted it. A hint. */
    | { readonly kind: "ejection"; readonly until: number }
  );

/** The verdict of a participant that probes. */
export interface Verdict {
  /** The server that was probed. Another one with the same id has no verdict yet. */
  readonly url: string;
  /** `unknown` withdraws the verdict. */
  readonly health: Health;
  /** The result of the deciding probe, as in `HealthEvent`. */
  readonly reason: string;
  readonly cause?: string;
  /**
   * The deciding probe has not reached the address of the upstream's requests: connecting failed or timed out, or the
   * connection was reset. It does not apply to a participant whose own requests reach the upstream.
   */
  readonly transport: boolean;
  /** The start of the first of the consecutive probes that led to the verdict. */
  readonly at: number;
}

/** An observation with its author. */
export type Evidence = Observation & {
  readonly by: string;
  /** Grows with every report of the author. */
  readonly sequence: number;
};
