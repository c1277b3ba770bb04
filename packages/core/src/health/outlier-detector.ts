/**
 * Passive health checks: ejects upstreams whose requests keep failing, for a while.
 *
 *     in ── fails too often ──> ejected ── time is over ──> half-open ── a request succeeds ──> in, by slow start
 *                                  ^                            │
 *                                  └──────── it fails ──────────┘
 *
 * There are two detectors, as in Envoy and linkerd. Consecutive failures detect an upstream that fails always, the failure
 * ratio over a window one that fails often. An ejection lasts the base time multiplied by the number of recent ejections, up
 * to a maximum. At most a share of the pool is ejected, but one upstream may always be ejected while another stays (with
 * Envoy's 10 % a pool of less than ten would never eject one). Client aborts, stale connections and the proxy's own limits
 * do not count.
 *
 * A request costs a few additions, and an ejected upstream one timer. Attempts started before an ejection do not count
 * after it.
 */

import createDebug from "debug";
import { limits } from "../config/defaults.ts";
import type { OutlierDetectionOptions } from "../config/options.ts";
import { resolveOutlierDetection } from "../config/resolve.ts";
import type { ResolvedOutlierDetection, ResolvedPool } from "../config/resolved.ts";
import type { EjectionReason, MemberEvent } from "../events.ts";
import type { Attempt, AttemptObserver } from "../pool/attempt.ts";
import type { Pool } from "../pool/pool.ts";
import type { PoolWatcher, Verdicts } from "../pool/pool-watcher.ts";
import { isUpstreamFailure, type Outcome, type Upstream } from "../pool/upstream.ts";
import type { Timer } from "../runtime/clock.ts";
import { type Runtime, resolveRuntime } from "../runtime/runtime.ts";
import { FailureRecord } from "./failure-record.ts";

const debug = createDebug("evenkeel:health");

export class OutlierDetector implements AttemptObserver, PoolWatcher {
  readonly #pool: Pool;
  readonly #runtime: Runtime;
  #records = new WeakMap<Upstream, FailureRecord>();
  /** The ejected and the half-open upstreams, with the timer that ends the ejection. */
  readonly #ejected = new Map<Upstream, Timer>();
  #options: ResolvedOutlierDetection;
  #stopObserving: (() => void) | undefined;

  /** Without options, those of the pool are used, or else the defaults. Throws an `OptionsError` with every mistake. */
  constructor(pool: Pool, options?: OutlierDetectionOptions, runtime?: Partial<Runtime>) {
    this.#pool = pool;
    this.#runtime = resolveRuntime(runtime);
    const own = options === undefined ? pool.options.outlierDetection : undefined;
    this.#options = own ?? resolveOutlierDetection(options ?? {});
  }

  /** Does nothing while it runs. */
  start(): void {
    if (this.#stopObserving !== undefined) return;
    this.#stopObserving = this.#pool.observe(this);
    this.#pool.on("member", this.#onMember).on("probe", this.#onProbe);
  }

  /** The new options apply from the next failure on. Current ejections keep their duration. */
  reconfigure({ outlierDetection }: ResolvedPool): void {
    if (outlierDetection !== undefined) this.#options = outlierDetection;
  }

  /** Clears every timer. Unless verdicts are to be kept, readmits every ejected upstream and clears all counts. */
  stop(verdicts: Verdicts = "withdraw"): void {
    this.#stopObserving?.();
    this.#stopObserving = undefined;
    this.#pool.off("member", this.#onMember).off("probe", this.#onProbe);
    for (const timer of this.#ejected.values()) this.#runtime.clock.clearTimeout(timer);
    const out = [...this.#ejected.keys()];
    this.#ejected.clear();
    if (verdicts === "keep") return;
    this.#records = new WeakMap();
    for (const upstream of out) this.#pool.ejections.readmit(upstream, "off");
  }

  /**
   * The response headers decide a trial, because a stream can last for hours. A request of last resort counts as a trial if it
   * succeeds, and does not count if it fails: an outage of the other upstreams must not extend an ejection.
   */
  onResponded(attempt: Attempt, failed: boolean): void {
    if (attempt.onTrial) this.#endTrial(attempt, failed ? failureOf(attempt, "success") : undefined);
    else if (attempt.lastResort && !failed) this.#endTrial(attempt, undefined);
  }

  onSettled(attempt: Attempt, outcome: Outcome, failed: boolean): void {
    if (!failed && outcome !== "success") return;
    const failure = failed ? failureOf(attempt, outcome) : undefined;
    if (attempt.onTrial) return this.#endTrial(attempt, failure);
    const { upstream } = attempt;
    const record = this.#recordOf(upstream);
    if (upstream.ejectedUntil !== undefined || attempt.startedAt < record.since) return;
    record.count(failure?.kind);
    if (failure === undefined) return;
    const reason = this.#reasonToEject(record);
    if (reason === undefined || !this.#pool.ejections.mayEject(upstream, this.#options.maxEjectionPercent)) return;
    this.#eject(upstream, reason, failure);
  }

  /** An upstream that was added again with its ejection becomes half-open after the remaining time. */
  #resumeEjection(id: string): void {
    const upstream = this.#pool.get(id);
    if (upstream?.ejectedUntil === undefined || this.#ejected.has(upstream)) return;
    const { clock } = this.#runtime;
    const beginTrial = () => this.#pool.ejections.beginTrial(upstream);
    this.#ejected.set(upstream, clock.setTimeout(beginTrial, upstream.ejectedUntil - clock.wallNow()));
  }

  #endTrial({ upstream, startedAt }: Attempt, failure: Failure | undefined): void {
    // The upstream has left the pool since.
    if (!this.#ejected.has(upstream)) return;
    if (failure === undefined) this.#readmit(upstream, "trial", startedAt);
    else this.#eject(upstream, "trial-failed", failure);
  }

  #reasonToEject({ consecutiveFailures, requests, failures }: FailureRecord): EjectionReason | undefined {
    const { consecutiveFailures: limit, failureRatio, minimumRequests } = this.#options;
    if (limit > 0 && consecutiveFailures >= limit) return "consecutive-failures";
    if (failureRatio === 0 || requests < minimumRequests) return undefined;
    return failures / requests >= failureRatio ? "failure-ratio" : undefined;
  }

  #eject(upstream: Upstream, reason: EjectionReason, failure: Failure): void {
    const { clock, random } = this.#runtime;
    const { baseEjectionMs, maxEjectionMs } = this.#options;
    const times = this.#recordOf(upstream).recordEjection(
      reason,
      failure.kind,
      Math.ceil(maxEjectionMs / baseEjectionMs),
    );
    const plainMs = Math.min(baseEjectionMs * times, maxEjectionMs);
    const forMs = Math.round(plainMs * (1 + random() * limits.ejectionJitter));
    debug("%s/%s: ejected for %d ms, %s", this.#pool.name, upstream.id, forMs, reason);
    clock.clearTimeout(this.#ejected.get(upstream));
    this.#ejected.set(
      upstream,
      clock.setTimeout(() => this.#pool.ejections.beginTrial(upstream), forMs),
    );
    this.#pool.ejections.eject(upstream, reason, forMs, failure.cause);
  }

  #readmit(upstream: Upstream, reason: "trial" | "probe", since: number): void {
    this.#runtime.clock.clearTimeout(this.#ejected.get(upstream));
    this.#ejected.delete(upstream);
    this.#recordOf(upstream).recordReadmission(since);
    debug("%s/%s: readmitted, %s", this.#pool.name, upstream.id, reason);
    this.#pool.ejections.readmit(upstream, reason);
  }

  #recordOf(upstream: Upstream): FailureRecord {
    let record = this.#records.get(upstream);
    if (record === undefined) {
      record = new FailureRecord(this.#runtime.clock);
      this.#records.set(upstream, record);
    }
    record.setWindow(this.#options.windowMs);
    return record;
  }

  /**
   * A successful probe proves that the upstream can be connected, and nothing about one that responds 500. The probe must
   * have started after the ejection. One of another participant may have taken another way: a request of our own decides.
   */
  readonly #onProbe = (upstream: Upstream, success: boolean, startedAt: number, elsewhere: boolean): void => {
    if (!success || !this.#ejected.has(upstream)) return;
    const { onlyTransport, since } = this.#recordOf(upstream);
    if (!onlyTransport || startedAt < since) return;
    if (elsewhere) this.#pool.ejections.beginTrial(upstream);
    else this.#readmit(upstream, "probe", this.#runtime.clock.now());
  };

  readonly #onMember = ({ upstream: id, change }: MemberEvent): void => {
    if (change === "added") this.#resumeEjection(id);
    if (change !== "removed") return;
    for (const [upstream, timer] of this.#ejected) {
      if (upstream.id !== id || this.#pool.get(id) === upstream) continue;
      this.#runtime.clock.clearTimeout(timer);
      this.#ejected.delete(upstream);
    }
  };
}

interface Failure {
  readonly kind: "transport" | "status";
  /** An error code, or such as `status 503`. */
  readonly cause: string;
}

/** The failure of an attempt that has failed. */
function failureOf({ status }: Attempt, outcome: Outcome): Failure {
  if (isUpstreamFailure(outcome)) return { kind: "transport", cause: outcome };
  return { kind: "status", cause: `status ${status}` };
}
