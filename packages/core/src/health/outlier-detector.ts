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
 * A request costs a few additions; there is one timer for each upstream that is out. What was begun before an ejection
 * counts for nothing after it.
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
  /** Forgotten with the upstream. */
  #records = new WeakMap<Upstream, FailureRecord>();
  /** Those who are out, with what ends that. */
  readonly #out = new Map<Upstream, Timer>();
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

  /** Ejected upstreams stay out for as long as they were told. */
  reconfigure({ outlierDetection }: ResolvedPool): void {
    if (outlierDetection !== undefined) this.#options = outlierDetection;
  }

  /** Ends every trial timer. Unless verdicts are to be kept, readmits every ejected upstream and forgets what it has seen. */
  stop(verdicts: Verdicts = "withdraw"): void {
    this.#stopObserving?.();
    this.#stopObserving = undefined;
    this.#pool.off("member", this.#onMember).off("probe", this.#onProbe);
    for (const timer of this.#out.values()) this.#runtime.clock.clearTimeout(timer);
    const out = [...this.#out.keys()];
    this.#out.clear();
    if (verdicts === "keep") return;
    this.#records = new WeakMap();
    for (const upstream of out) this.#pool.ejections.readmit(upstream, "off");
  }

  /**
   * Response headers prove enough on trial: a stream may go on for hours. A request of the last resort counts as a trial
   * when it succeeds, and as nothing when it fails: an ejection is not made longer for an outage of the others.
   */
  onResponded(attempt: Attempt, failed: boolean): void {
    if (attempt.onTrial) this.#endTrial(attempt, failed ? "status" : undefined);
    else if (attempt.lastResort && !failed) this.#endTrial(attempt, undefined);
  }

  onSettled(attempt: Attempt, outcome: Outcome, failed: boolean): void {
    if (!failed && outcome !== "success") return;
    const fault = isUpstreamFailure(outcome) ? "transport" : "status";
    const failure = failed ? fault : undefined;
    if (attempt.onTrial) return this.#endTrial(attempt, failure);
    const { upstream } = attempt;
    const record = this.#recordOf(upstream);
    if (upstream.ejectedUntil !== undefined || attempt.startedAt < record.since) return;
    record.count(failure);
    if (failure === undefined) return;
    const reason = this.#verdictOn(record);
    if (reason === undefined || !this.#pool.ejections.mayEject(upstream, this.#options.maxEjectionPercent)) return;
    this.#eject(upstream, reason, failure);
  }

  /** A member that has come back with its ejection gets its trial when the rest of the time has passed. */
  #resume(id: string): void {
    const upstream = this.#pool.get(id);
    if (upstream?.ejectedUntil === undefined || this.#out.has(upstream)) return;
    const { clock } = this.#runtime;
    const beginTrial = () => this.#pool.ejections.beginTrial(upstream);
    this.#out.set(upstream, clock.setTimeout(beginTrial, upstream.ejectedUntil - clock.wallNow()));
  }

  #endTrial({ upstream, startedAt }: Attempt, failure: Failure | undefined): void {
    // Whoever has left the pool meanwhile has nothing to come back to.
    if (!this.#out.has(upstream)) return;
    if (failure === undefined) this.#readmit(upstream, "trial", startedAt);
    else this.#eject(upstream, "trial-failed", failure);
  }

  #verdictOn({ inARow, requests, failures }: FailureRecord): EjectionReason | undefined {
    const { consecutiveFailures, failureRatio, minimumRequests } = this.#options;
    if (consecutiveFailures > 0 && inARow >= consecutiveFailures) return "consecutive-failures";
    if (failureRatio === 0 || requests < minimumRequests) return undefined;
    return failures / requests >= failureRatio ? "failure-ratio" : undefined;
  }

  #eject(upstream: Upstream, reason: EjectionReason, failure: Failure): void {
    const { clock, random } = this.#runtime;
    const { baseEjectionMs, maxEjectionMs } = this.#options;
    const times = this.#recordOf(upstream).ejected(reason, failure, Math.ceil(maxEjectionMs / baseEjectionMs));
    const plainMs = Math.min(baseEjectionMs * times, maxEjectionMs);
    const forMs = Math.round(plainMs * (1 + random() * limits.ejectionJitter));
    debug("%s/%s: ejected for %d ms, %s", this.#pool.name, upstream.id, forMs, reason);
    clock.clearTimeout(this.#out.get(upstream));
    this.#out.set(
      upstream,
      clock.setTimeout(() => this.#pool.ejections.beginTrial(upstream), forMs),
    );
    this.#pool.ejections.eject(upstream, reason, forMs);
  }

  #readmit(upstream: Upstream, reason: "trial" | "probe", since: number): void {
    this.#runtime.clock.clearTimeout(this.#out.get(upstream));
    this.#out.delete(upstream);
    this.#recordOf(upstream).readmitted(since);
    debug("%s/%s: readmitted, %s", this.#pool.name, upstream.id, reason);
    this.#pool.ejections.readmit(upstream, reason);
  }

  #recordOf(upstream: Upstream): FailureRecord {
    let record = this.#records.get(upstream);
    if (record === undefined) {
      record = new FailureRecord(this.#runtime.clock);
      this.#records.set(upstream, record);
    }
    record.lookBack(this.#options.windowMs);
    return record;
  }

  /**
   * A probe proves that connections can be had and answered, and nothing about a server that answers 500. It has to have
   * begun after the ejection: the answer of an earlier one is news from before.
   */
  readonly #onProbe = (upstream: Upstream, success: boolean, startedAt: number): void => {
    if (!success || !this.#out.has(upstream)) return;
    const { onlyTransport, since } = this.#recordOf(upstream);
    if (onlyTransport && startedAt >= since) this.#readmit(upstream, "probe", this.#runtime.clock.now());
  };

  readonly #onMember = ({ upstream: id, change }: MemberEvent): void => {
    if (change === "added") this.#resume(id);
    if (change !== "removed") return;
    for (const [upstream, timer] of this.#out) {
      if (upstream.id !== id || this.#pool.get(id) === upstream) continue;
      this.#runtime.clock.clearTimeout(timer);
      this.#out.delete(upstream);
    }
  };
}

type Failure = "transport" | "status";
