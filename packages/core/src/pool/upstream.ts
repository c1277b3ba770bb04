import type { ResolvedUpstream, UpstreamAddress } from "../config/resolved.ts";
import { type ErrorCode, errorKind } from "../errors.ts";
import type { Health, UpstreamState } from "../events.ts";
import type { UpstreamSnapshot } from "../snapshot.ts";
import type { Transport } from "../wire/transport.ts";
import { Histogram } from "./histogram.ts";

/** One server in a pool, as the rest of the world sees it. Only its pool changes it. */
export interface Upstream {
  readonly id: string;
  readonly url: string;
  readonly address: UpstreamAddress;
  readonly backup: boolean;
  readonly state: UpstreamState;
  readonly health: Health;
  /** As configured, or as set by an operator since. */
  readonly weight: number;
  /** What policies use in place of the weight. */
  readonly effectiveWeight: number;
  /** Requests begun and not settled. */
  readonly inFlight: number;
  /** Infinity when there is no limit. */
  readonly maxInFlight: number;
  readonly tunnels: number;
  /** May be picked now: active, not unhealthy, not full. */
  readonly available: boolean;
  /** A small integer, unique in the pool: the place of this upstream in the arrays that a policy keeps. */
  readonly slot: number;
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
  readonly id: string;
  readonly url: string;
  readonly address: UpstreamAddress;
  readonly slot: number;
  backup: boolean;
  maxInFlight: number;
  /** What the configuration says, to tell an operator's weight from it at a reload. */
  configuredWeight: number;
  weight: number;
  state: UpstreamState = "active";
  health: Health = "unknown";
  inFlight = 0;
  tunnels = 0;
  removed = false;
  /** Takes no traffic before its first verdict, not even in panic. */
  held = false;
  transport: Transport | undefined;

  readonly #outcomes: Partial<Record<Outcome, number>> = {};
  readonly #latency = new Histogram();
  readonly #probes = { success: 0, failure: 0 };
  #lastFailure: { code: ErrorCode; at: number } | null = null;

  constructor(options: ResolvedUpstream, slot: number) {
    this.id = options.id;
    this.url = options.url;
    this.address = options.address;
    this.slot = slot;
    this.backup = options.backup;
    this.maxInFlight = options.maxInFlight;
    this.configuredWeight = options.weight;
    this.weight = options.weight;
  }

  get effectiveWeight(): number {
    return this.weight;
  }

  get full(): boolean {
    return this.inFlight >= this.maxInFlight;
  }

  get available(): boolean {
    return this.state === "active" && this.health !== "unhealthy" && !this.full && !this.held && !this.removed;
  }

  /** Nothing holds it any more. */
  get idle(): boolean {
    return this.inFlight === 0 && this.tunnels === 0;
  }

  recordHeaders(ms: number): void {
    this.#latency.record(ms);
  }

  recordOutcome(outcome: Outcome, wallNow: number): void {
    this.#outcomes[outcome] = (this.#outcomes[outcome] ?? 0) + 1;
    if (isUpstreamFailure(outcome)) this.#lastFailure = { code: outcome, at: wallNow };
  }

  countProbe(success: boolean): void {
    this.#probes[success ? "success" : "failure"]++;
  }

  snapshot(): UpstreamSnapshot {
    return Object.freeze({
      id: this.id,
      url: this.url,
      backup: this.backup,
      state: this.state,
      health: this.health,
      available: this.available,
      weight: this.weight,
      effectiveWeight: this.effectiveWeight,
      inFlight: this.inFlight,
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
