/**
 * Passive health: finds the upstreams that keep failing requests, and takes them out for a while.
 *
 *     in ── fails too often ──> ejected ── its time is over ──> on trial ── a request goes well ──> in, by slow start
 *                                  ^                               │
 *                                  └───────── it fails ────────────┘
 *
 * Two detectors, as in Envoy and linkerd: failures in a row catch one that is dead, the failure ratio over a window one
 * that is half dead. An ejection lasts the base time, times how often it has happened lately, up to a maximum. Never more
 * than a share of the pool is out, yet one may always go while another stays (Envoy's own 10 % would never eject anybody
 * from a pool of less than ten). A client's leaving, a stale connection and the proxy's own limits count for nothing.
 *
 * A request costs a few additions; there is one timer for each upstream that is out.
 */

import createDebug from "debug";
import { limits } from "../config/defaults.ts";
import type { OutlierDetectionOptions } from "../config/options.ts";
import { resolveOutlierDetection } from "../config/resolve.ts";
import type { ResolvedOutlierDetection } from "../config/resolved.ts";
import type { EjectionReason, MemberEvent } from "../events.ts";
import type { AttemptObserver } from "../pool/accounts.ts";
import type { Attempt } from "../pool/attempt.ts";
import type { Pool } from "../pool/pool.ts";
import { isUpstreamFailure, type Outcome, type Upstream } from "../pool/upstream.ts";
import { type Runtime, resolveRuntime } from "../runtime/runtime.ts";
import { FailureRecord } from "./failure-record.ts";

const debug = createDebug("evenkeel:health");

export class OutlierDetector implements AttemptObserver {
  readonly #pool: Pool;
  readonly #runtime: Runtime;
  readonly #records = new Map<Upstream, FailureRecord>();
  #options: ResolvedOutlierDetection;
  #stopObserving: (() => void) | undefined;

  /** Without options those of the pool hold, or else the defaults. Throws an `OptionsError` with every mistake. */
  constructor(pool: Pool, options?: OutlierDetectionOptions, runtime?: Partial<Runtime>) {
    this.#pool = pool;
    this.#runtime = resolveRuntime(runtime);
    const own = options === undefined ? pool.options.outlierDetection : undefined;
    this.#options = own ?? resolveOutlierDetection(options ?? {});
  }

  /** Does nothing when it already runs. */
  start(): void {
    if (this.#stopObserving !== undefined) return;
    this.#stopObserving = this.#pool.observe(this);
    this.#pool.on("member", this.#onMember).on("probe", this.#onProbe);
  }

  /** Forgets what it has seen, and readmits everybody. */
  stop(): void {
    this.#stopObserving?.();
    this.#stopObserving = undefined;
    this.#pool.off("member", this.#onMember).off("probe", this.#onProbe);
    for (const [upstream, record] of this.#records) {
      this.#runtime.clock.clearTimeout(record.timer);
      this.#pool.ejections.readmit(upstream, "off");
    }
    this.#records.clear();
  }

  /** Goes on with other options, checked already; whoever is out stays out for as long as it was told. */
  reconfigure(options: ResolvedOutlierDetection): void {
    this.#options = options;
    for (const record of this.#records.values()) record.resize(options.windowMs);
  }

  /** Response headers prove enough on trial: a stream may go on for hours. */
  onAnswered(attempt: Attempt, failed: boolean): void {
    if (failed || !attempt.onTrial || !attempt.upstream.onTrial) return;
    this.#readmit(attempt.upstream, "trial");
  }

  onSettled(attempt: Attempt, outcome: Outcome, failed: boolean): void {
    const { upstream } = attempt;
    if (!failed && outcome !== "success") return;
    const record = this.#recordOf(upstream);
    // What was begun before it was ejected or readmitted says nothing about afterwards.
    if (attempt.startedAt < record.changedAt) return;
    if (upstream.ejectedUntil !== undefined) {
      if (failed && attempt.onTrial && upstream.onTrial) this.#eject(upstream, record, "trial-failed");
      return;
    }
    record.count(failed, isUpstreamFailure(outcome));
    const reason = failed ? this.#verdictOn(record) : undefined;
    if (reason !== undefined && this.#mayEject(upstream)) this.#eject(upstream, record, reason);
  }

  #verdictOn(record: FailureRecord): EjectionReason | undefined {
    const { consecutiveFailures, failureRatio, minimumRequests } = this.#options;
    if (consecutiveFailures > 0 && record.inARow >= consecutiveFailures) return "consecutive-failures";
    if (failureRatio === 0) return undefined;
    const { requests, failures } = record;
    return requests >= minimumRequests && failures / requests >= failureRatio ? "failure-ratio" : undefined;
  }

  #mayEject(upstream: Upstream): boolean {
    const { maxEjectionPercent } = this.#options;
    const active = this.#pool.upstreams.filter(({ state }) => state === "active");
    const out = active.filter(({ ejectedUntil }) => ejectedUntil !== undefined).length;
    const allowed = maxEjectionPercent === 0 ? 0 : Math.max(1, Math.floor((active.length * maxEjectionPercent) / 100));
    const anotherStays = active.some(
      (other) => other !== upstream && other.ejectedUntil === undefined && other.health !== "unhealthy",
    );
    return anotherStays && out < allowed;
  }

  #eject(upstream: Upstream, record: FailureRecord, reason: EjectionReason): void {
    const { clock, random } = this.#runtime;
    const { baseEjectionMs, maxEjectionMs } = this.#options;
    const times = record.ejectedAgain(clock.now());
    const forMs = Math.min(baseEjectionMs * times, maxEjectionMs) * (1 + random() * limits.ejectionJitter);
    debug("%s/%s: ejected for %d ms, %s", this.#pool.name, upstream.id, forMs, reason);
    this.#pool.ejections.eject(upstream, reason, forMs);
    record.timer = clock.setTimeout(() => this.#pool.ejections.beginTrial(upstream), forMs);
  }

  #readmit(upstream: Upstream, reason: "trial" | "probe"): void {
    const { clock } = this.#runtime;
    const record = this.#recordOf(upstream);
    clock.clearTimeout(record.timer);
    record.readmitted(clock.now());
    debug("%s/%s: readmitted, %s", this.#pool.name, upstream.id, reason);
    this.#pool.ejections.readmit(upstream, reason);
  }

  #recordOf(upstream: Upstream): FailureRecord {
    const known = this.#records.get(upstream);
    if (known !== undefined) return known;
    const record = new FailureRecord(this.#options.windowMs, this.#runtime.clock);
    this.#records.set(upstream, record);
    return record;
  }

  /** A probe proves that connections can be had and answered, and nothing about a server that answers 500. */
  readonly #onProbe = (upstream: Upstream, success: boolean): void => {
    if (!success || upstream.ejectedUntil === undefined) return;
    if (this.#records.get(upstream)?.onlyTransport === true) this.#readmit(upstream, "probe");
  };

  readonly #onMember = ({ change }: MemberEvent): void => {
    if (change === "added") return;
    const staying = new Set(this.#pool.upstreams);
    for (const [upstream, record] of this.#records) {
      if (staying.has(upstream)) continue;
      this.#runtime.clock.clearTimeout(record.timer);
      this.#records.delete(upstream);
    }
  };
}
