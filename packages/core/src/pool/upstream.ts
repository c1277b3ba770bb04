import type { ResolvedUpstream, UpstreamAddress } from "../config/resolved.ts";
import { type ErrorCode, errorKind } from "../errors.ts";
import type { EjectionReason, Health, UpstreamState } from "../events.ts";
import type { Candidate } from "../policy.ts";
import type { UpstreamSnapshot } from "../snapshot.ts";
import type { Transport } from "../transport/transport.ts";
import type { Trial } from "./availability/half-open.ts";
import { Histogram } from "./statistics/histogram.ts";
import { PeakEwma } from "./statistics/peak-ewma.ts";

/** One server in a pool, as the rest of the world sees it. Only its pool changes it. */
export interface Upstream extends Candidate {
  readonly address: UpstreamAddress;
  /** Used only while no upstream of a lower tier is available; primaries have 0. */
  readonly tier: number;
  readonly state: UpstreamState;
  readonly health: Health;
  /** As configured, or as set by an operator since. */
  readonly weight: number;
  /** Infinity when there is no limit. */
  readonly maxInFlight: number;
  /** Those of `inFlight` that are open tunnels. */
  readonly tunnels: number;
  /** The last verdict of probes, milliseconds since 1970, and what the deciding probe saw; undefined before the first. */
  readonly verdict: { readonly at: number; readonly reason: string } | undefined;
  /** May be picked now: active, not unhealthy, not ejected, not full. */
  readonly available: boolean;
  /** When an ejection ends, milliseconds since 1970; undefined while it is not ejected. */
  readonly ejectedUntil: number | undefined;
  /** What it was last ejected for. */
  readonly ejectedFor: EjectionReason | undefined;
  /** Its ejection is over, and it gets one request at a time until one has gone well. */
  readonly onTrial: boolean;
  /** A request of its trial is in flight, and still awaited. */
  readonly trialUnderWay: boolean;
  /** As many requests and tunnels in flight as it may have: its limit, less of it in a slow start, one at a time on trial. */
  readonly full: boolean;
  /** Takes no traffic before its first verdict, not even in panic. */
  readonly held: boolean;
  /** What its weight is multiplied by, 1 unless it has just come back, fares worse than its fellows, or announces a load. */
  readonly slowStart: number;
  readonly feedback: number;
  readonly announced: number;
}

/**
 * How an attempt ended: well, by the client's leaving, on a reused connection that the upstream had closed in the
 * meantime, or in one of the known ways to fail.
 */
export type Outcome = "success" | "aborted" | "stale" | ErrorCode;

/**
 * Whether an outcome counts against the upstream. `aborted` and `stale` are nobody's failures, and our own limits, file
 * descriptors and deadlines are ours.
 */
export function isUpstreamFailure(outcome: Outcome): outcome is ErrorCode {
  if (outcome === "success" || outcome === "aborted" || outcome === "stale") return false;
  return errorKind(outcome).source === "upstream";
}

/** The mutable side of an upstream. Never leaves the pool's folder but as an `Upstream`. */
export class Member implements Upstream {
  // What policies read of every member at a pick stands first: in the cache line that V8 has to look at anyway.
  /** With its tunnels. */
  inFlight = 0;
  effectiveWeight: number;
  slot: number;
  readonly id: string;
  readonly url: string;
  readonly address: UpstreamAddress;
  tier: number;
  maxInFlight: number;
  /** What the configuration says, to tell an operator's weight from it at a reload. */
  configuredWeight: number;
  weight: number;
  state: UpstreamState = "active";
  health: Health = "unknown";
  verdict: { readonly at: number; readonly reason: string } | undefined;
  tunnels = 0;
  removed = false;
  /** The deadline of a drain has passed: clients that are bound to it go elsewhere, too. */
  drained = false;
  /** Found in DNS rather than listed. */
  discovered = false;
  /** Has answered a request. */
  served = false;
  held = false;
  ejectedUntil: number | undefined;
  ejectedFor: EjectionReason | undefined;
  /** The one that goes on now: requests of earlier ones are like any other. */
  trial: Trial | undefined;
  /** Has joined a pool that was at work, and was not let in yet. */
  newcomer = false;
  /** What the weight is multiplied by; see weighting.ts. */
  slowStart = 1;
  feedback = 1;
  announced = 1;
  warmingSince = 0;
  announcedAt: number = -Infinity;
  readonly responsiveness: PeakEwma = new PeakEwma();
  transport: Transport | undefined;

  readonly #outcomes: Partial<Record<Outcome, number>> = {};
  readonly #latency = new Histogram();
  readonly #ejections: Partial<Record<EjectionReason, number>> = {};
  readonly #probes = { success: 0, failure: 0 };
  #lastFailure: { code: ErrorCode; at: number } | null = null;

  constructor(options: ResolvedUpstream, slot: number) {
    this.id = options.id;
    this.url = options.url;
    this.address = options.address;
    this.slot = slot;
    this.tier = options.tier;
    this.maxInFlight = options.maxInFlight;
    this.configuredWeight = options.weight;
    this.weight = options.weight;
    this.effectiveWeight = options.weight;
  }

  /** Becomes a member again after it has left its pool, with what still says something about it. */
  rejoin({ keepsVerdict, keepsEjection }: { keepsVerdict: boolean; keepsEjection: boolean }): void {
    this.removed = false;
    this.trial?.end();
    this.trial = undefined;
    if (!keepsEjection) this.ejectedUntil = undefined;
    if (!keepsVerdict) {
      this.health = "unknown";
      this.verdict = undefined;
    }
    this.slowStart = 1;
    this.feedback = 1;
    this.announced = 1;
    this.announcedAt = -Infinity;
    this.reweigh();
  }

  reweigh(): void {
    this.effectiveWeight = this.weight * this.slowStart * this.feedback * this.announced;
  }

  get full(): boolean {
    return this.trialUnderWay || this.atLimit;
  }

  /** Has as many requests in flight as it is ever given, whatever it is on trial for. */
  get atLimit(): boolean {
    // A slow start is for the limit as well, as in HAProxy.
    const limit = this.slowStart === 1 ? this.maxInFlight : Math.max(1, Math.ceil(this.maxInFlight * this.slowStart));
    return this.inFlight >= limit;
  }

  /** Something speaks against it that waiting for room does not help: a verdict, an ejection, or a trial. */
  get doubtful(): boolean {
    return this.health === "unhealthy" || this.ejectedUntil !== undefined;
  }

  get available(): boolean {
    const out = this.ejectedUntil !== undefined && !this.onTrial;
    return this.state === "active" && this.health !== "unhealthy" && !out && !this.full && !this.held && !this.removed;
  }

  get trialUnderWay(): boolean {
    return this.trial?.underWay === true;
  }

  get onTrial(): boolean {
    return this.trial !== undefined;
  }

  /** Has its part of the traffic, or would have it if it were not full. */
  get sharing(): boolean {
    return this.state === "active" && this.weight > 0 && !this.doubtful && !this.held && !this.removed;
  }

  /** What it has in flight but tunnels. */
  get requests(): number {
    return this.inFlight - this.tunnels;
  }

  /** Nothing holds it any more. */
  get idle(): boolean {
    return this.inFlight === 0;
  }

  recordHeaders(ms: number, failed: boolean, now: number): void {
    this.#latency.record(ms);
    this.responsiveness.record(ms, failed, now);
  }

  recordOutcome(outcome: Outcome, wallNow: number): void {
    this.#outcomes[outcome] = (this.#outcomes[outcome] ?? 0) + 1;
    if (isUpstreamFailure(outcome)) this.#lastFailure = { code: outcome, at: wallNow };
  }

  countEjection(reason: EjectionReason): void {
    this.#ejections[reason] = (this.#ejections[reason] ?? 0) + 1;
  }

  countProbe(success: boolean): void {
    this.#probes[success ? "success" : "failure"]++;
  }

  snapshot(): UpstreamSnapshot {
    return Object.freeze({
      id: this.id,
      url: this.url,
      backup: this.tier > 0,
      discovered: this.discovered,
      state: this.state,
      health: this.health,
      available: this.available,
      weight: this.weight,
      effectiveWeight: this.effectiveWeight,
      slowStart: this.slowStart,
      feedback: this.feedback,
      announced: this.announced,
      ejectedUntil: this.ejectedUntil ?? null,
      onTrial: this.onTrial,
      ejections: Object.freeze({ ...this.#ejections }),
      inFlight: this.requests,
      maxInFlight: this.maxInFlight === Infinity ? null : this.maxInFlight,
      tunnels: this.tunnels,
      outcomes: Object.freeze({ ...this.#outcomes }),
      probes: Object.freeze({ ...this.#probes }),
      latency: this.#latency.snapshot(),
      quantiles: this.#latency.quantiles(),
      lastFailure: this.#lastFailure && Object.freeze({ ...this.#lastFailure }),
    });
  }
}

/** Whether a member is the server that the options describe. Beside the URL, the name counts that it is asked by: two names in DNS may lead to one address. */
export function isSameServer(member: Member, upstream: ResolvedUpstream | undefined): boolean {
  return upstream?.url === member.url && upstream.address.host === member.address.host;
}
