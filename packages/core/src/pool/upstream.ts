import type { ResolvedUpstream, UpstreamAddress } from "../config/resolved.ts";
import { type ErrorCode, errorKind, isConnectFailure } from "../errors.ts";
import type { EjectionReason, Health, UpstreamState } from "../events.ts";
import type { Candidate } from "../policy.ts";
import type { ProbeSnapshot, UpstreamSnapshot } from "../snapshot.ts";
import type { Transport } from "../transport/transport.ts";
import { conditionOf } from "./availability/condition.ts";
import type { Trial } from "./availability/half-open.ts";
import { Transitions } from "./availability/transitions.ts";
import { Histogram } from "./statistics/histogram.ts";
import { PeakEwma } from "./statistics/peak-ewma.ts";

/** A server of a pool. Only the pool changes it. */
export interface Upstream extends Candidate {
  readonly address: UpstreamAddress;
  /** Used only while no upstream of a lower tier is available; primaries have 0. */
  readonly tier: number;
  readonly state: UpstreamState;
  readonly health: Health;
  /** The configured weight, or the one set by an operator since. */
  readonly weight: number;
  readonly configuredWeight: number;
  /** Infinity when there is no limit. */
  readonly maxInFlight: number;
  /** This process's share of `maxInFlight`, if several processes share it. */
  readonly inFlightShare: number | undefined;
  /** Open tunnels, which `inFlight` includes. */
  readonly tunnels: number;
  /** The last verdict of probes: its time in milliseconds since 1970, and the result of the deciding probe. */
  readonly verdict: { readonly at: number; readonly reason: string } | undefined;
  /** It may be picked now: active, not unhealthy, not ejected, not full. */
  readonly available: boolean;
  /** The end of its ejection in milliseconds since 1970; undefined while it is not ejected. */
  readonly ejectedUntil: number | undefined;
  /** The reason of its last ejection. */
  readonly ejectedFor: EjectionReason | undefined;
  /** It is half-open: its ejection has ended, and it gets one request at a time until one succeeds. */
  readonly onTrial: boolean;
  /** Its trial request is in flight. */
  readonly trialInFlight: boolean;
  /** It has no room: at its limit, which a slow start lowers, or with its trial request in flight. */
  readonly full: boolean;
  /** It takes no traffic before its first verdict, not even in panic. */
  readonly held: boolean;
  /** The factors of its weight, 0 to 1: slow start, performance relative to its pool, and announced load. */
  readonly slowStart: number;
  readonly feedback: number;
  readonly announced: number;
}

/**
 * The result of an attempt. `aborted`: the client has disconnected. `stale`: the upstream had closed the reused connection.
 * Otherwise an error code.
 */
export type Outcome = "success" | "aborted" | "stale" | ErrorCode;

/**
 * Whether an outcome counts as a failure of the upstream. `aborted` and `stale` do not, nor do the proxy's own limits, file
 * descriptors and deadlines.
 */
export function isUpstreamFailure(outcome: Outcome): outcome is ErrorCode {
  if (outcome === "success" || outcome === "aborted" || outcome === "stale") return false;
  return errorKind(outcome).source === "upstream";
}

/** Connect failures without a response in between. Times in milliseconds since 1970. */
interface ConnectFailures {
  /** Of the last one. */
  readonly code: ErrorCode;
  /** The time of the first one. */
  readonly since: number;
  readonly lastAt: number;
  /** The number of responses that had arrived before. */
  readonly responses: number;
}

/** The mutable side of an upstream. Code outside the pool's folder sees it as an `Upstream`. */
export class Member implements Upstream {
  // Policies read these of every member at each pick. They come first, in the cache line of the object's header.
  /** Includes tunnels. */
  inFlight = 0;
  effectiveWeight: number;
  slot: number;
  readonly id: string;
  readonly url: string;
  readonly address: UpstreamAddress;
  tier: number;
  /** The limit in force in this process: its share, or `maxInFlight`. */
  inFlightLimit: number;
  maxInFlight: number;
  inFlightShare: number | undefined;
  /** The configured weight, so that a reload can detect its change and keep an operator's weight otherwise. */
  configuredWeight: number;
  weight: number;
  state: UpstreamState = "active";
  health: Health = "unknown";
  verdict: { readonly at: number; readonly reason: string; readonly cause?: string } | undefined;
  tunnels = 0;
  removed = false;
  /** The timeout of a drain has passed: bound clients use other upstreams too. */
  drained = false;
  /** Discovered in DNS, not listed. */
  discovered = false;
  /** It has responded to a request. */
  served = false;
  held = false;
  ejectedUntil: number | undefined;
  ejectedFor: EjectionReason | undefined;
  /** The failure that led to its last ejection. */
  ejectionCause: string | undefined;
  /** The current trial. Requests of earlier trials do not count. */
  trial: Trial | undefined;
  /** It has joined a serving pool, and has had no traffic yet. */
  joinedLate = false;
  /** The factors of the weight; see effective-weight.ts. */
  slowStart = 1;
  feedback = 1;
  announced = 1;
  slowStartSince = 0;
  announcedAt: number = -Infinity;
  readonly responsiveness: PeakEwma = new PeakEwma();
  transport: Transport | undefined;
  readonly transitions: Transitions;

  readonly #outcomes: Partial<Record<Outcome, number>> = {};
  readonly #latency: Histogram;
  readonly #ejections: Partial<Record<EjectionReason, number>> = {};
  readonly #probes = { success: 0, failure: 0 };
  #lastFailure: { code: ErrorCode; at: number } | null = null;
  #connectFailures: ConnectFailures | undefined;
  #serverErrors = 0;
  #lastProbe: ProbeSnapshot | null = null;

  /** `wallNow` is when it joins, in milliseconds since 1970. */
  constructor(options: ResolvedUpstream, slot: number, wallNow: number, latencyBounds: readonly number[]) {
    this.#latency = new Histogram(latencyBounds);
    this.id = options.id;
    this.url = options.url;
    this.address = options.address;
    this.slot = slot;
    this.tier = options.tier;
    this.inFlightLimit = options.maxInFlight;
    this.maxInFlight = options.maxInFlight;
    this.configuredWeight = options.weight;
    this.weight = options.weight;
    this.effectiveWeight = options.weight;
    this.transitions = new Transitions(wallNow);
  }

  /** Resets a former member that joins again. */
  rejoin({ keepsVerdict, keepsEjection }: { keepsVerdict: boolean; keepsEjection: boolean }, wallNow: number): void {
    this.removed = false;
    this.transitions.joined = wallNow;
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

  /** Those of the options, which a reload may have changed. */
  setLatencyBounds(bounds: readonly number[]): void {
    this.#latency.setBounds(bounds);
  }

  reweigh(): void {
    this.effectiveWeight = this.weight * this.slowStart * this.feedback * this.announced;
  }

  get full(): boolean {
    return this.trialInFlight || this.atLimit;
  }

  /** At its limit, apart from any trial. */
  get atLimit(): boolean {
    const { inFlight, inFlightLimit, slowStart } = this;
    // Slow start applies to the limit as well, as in HAProxy.
    if (slowStart === 1) return inFlight >= inFlightLimit;
    return inFlight >= Math.min(inFlightLimit, Math.max(1, Math.ceil(inFlightLimit * slowStart)));
  }

  /** Includes half-open upstreams, whose ejection ends with their readmission. */
  get unhealthyOrEjected(): boolean {
    return this.health === "unhealthy" || this.ejectedUntil !== undefined;
  }

  get available(): boolean {
    const out = this.ejectedUntil !== undefined && !this.onTrial;
    return this.state === "active" && this.health !== "unhealthy" && !out && !this.full && !this.held && !this.removed;
  }

  get trialInFlight(): boolean {
    return this.trial?.inFlight === true;
  }

  get onTrial(): boolean {
    return this.trial !== undefined;
  }

  /** It gets traffic, or would if it were not full. */
  get inRotation(): boolean {
    return this.state === "active" && this.weight > 0 && !this.unhealthyOrEjected && !this.held && !this.removed;
  }

  /** In flight without tunnels. */
  get requests(): number {
    return this.inFlight - this.tunnels;
  }

  /** Nothing is in flight. */
  get idle(): boolean {
    return this.inFlight === 0;
  }

  recordHeaders(ms: number, status: number | undefined, failed: boolean, now: number): void {
    if (status !== undefined && status >= 500) this.#serverErrors++;
    this.#latency.record(ms);
    this.responsiveness.record(ms, failed, now);
  }

  recordOutcome(outcome: Outcome, wallNow: number): void {
    this.#outcomes[outcome] = (this.#outcomes[outcome] ?? 0) + 1;
    if (!isUpstreamFailure(outcome)) return;
    this.#lastFailure = { code: outcome, at: wallNow };
    if (isConnectFailure(outcome)) this.#recordConnectFailure(outcome, wallNow);
  }

  /** The connect failures since the last response. Undefined if a response has arrived since. */
  get connectFailures(): ConnectFailures | undefined {
    return this.#connectFailures?.responses === this.#latency.count ? this.#connectFailures : undefined;
  }

  /** The last connect failure, in milliseconds since 1970. -Infinity before the first. */
  get lastConnectFailureAt(): number {
    return this.#connectFailures?.lastAt ?? -Infinity;
  }

  /** The count of responses tells whether one has arrived since, so that a response costs nothing more. */
  #recordConnectFailure(code: ErrorCode, wallNow: number): void {
    const responses = this.#latency.count;
    const known = this.#connectFailures;
    const since = known?.responses === responses ? known.since : wallNow;
    this.#connectFailures = { code, since, lastAt: wallNow, responses };
  }

  countEjection(reason: EjectionReason): void {
    this.#ejections[reason] = (this.#ejections[reason] ?? 0) + 1;
  }

  countProbe(probe: ProbeSnapshot): void {
    this.#probes[probe.ok ? "success" : "failure"]++;
    this.#lastProbe = Object.freeze(probe);
  }

  snapshot(): UpstreamSnapshot {
    return Object.freeze({
      id: this.id,
      url: this.url,
      backup: this.tier > 0,
      discovered: this.discovered,
      condition: conditionOf(this),
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
      ...(this.inFlightShare !== undefined && { inFlightShare: this.inFlightShare }),
      tunnels: this.tunnels,
      outcomes: Object.freeze({ ...this.#outcomes }),
      serverErrors: this.#serverErrors,
      probes: Object.freeze({ ...this.#probes }),
      lastProbe: this.#lastProbe,
      latency: this.#latency.snapshot(),
      quantiles: this.#latency.quantiles(),
      lastFailure: this.#lastFailure && Object.freeze({ ...this.#lastFailure }),
    });
  }
}

/** Whether the options describe the server of this member. Compares the host name as well, since two names may resolve to one URL. */
export function isSameServer(member: Member, upstream: ResolvedUpstream | undefined): boolean {
  return upstream?.url === member.url && upstream.address.host === member.address.host;
}
