import { isDeepStrictEqual } from "node:util";
import createDebug from "debug";
import { limits } from "../config/defaults.ts";
import type { HealthCheckOptions } from "../config/options.ts";
import { resolveHealthCheck } from "../config/resolve.ts";
import type { ResolvedHealthCheck, ResolvedPool } from "../config/resolved.ts";
import type { Health, MemberEvent, StateEvent } from "../events.ts";
import type { Pool } from "../pool/pool.ts";
import type { PoolWatcher, Verdicts } from "../pool/pool-watcher.ts";
import type { Upstream } from "../pool/upstream.ts";
import { type Runtime, resolveRuntime } from "../runtime/runtime.ts";
import { EventLoopStallDetector } from "./event-loop-stall.ts";
import { type Probe, type ProbeResult, tracedProbe } from "./probe.ts";
import { ProbeSchedule, type ProbeScheduleContext } from "./probe-schedule.ts";
import { ProbeSlots } from "./probe-slots.ts";

const debug = createDebug("evenkeel:health");

/** What a checker that shares its probes with others needs. */
export interface SharedProbes {
  /** Whether this checker probes an upstream. */
  isProber(upstream: Upstream): boolean;
  /** Takes each result that counts, with the verdict of this checker, in place of the pool. */
  onResult(upstream: Upstream, result: ProbeResult, verdict: Health, startedAt: number): void;
}

type Watched = Pick<ProbeSchedule, "upstream" | "verdict" | "probeSoon" | "close">;

/**
 * Active health checks: probes every upstream of a pool and reports the verdicts to the pool.
 *
 * It follows the membership of the pool. Draining upstreams are probed, disabled ones are not. A request that fails because
 * of its upstream brings the next probe forward. It needs no proxy, and its timers and sockets do not keep a process alive.
 */
export class HealthChecker implements PoolWatcher {
  readonly #pool: Pool;
  readonly #runtime: Runtime;
  readonly #slots = new ProbeSlots(limits.concurrentProbes);
  readonly #schedules = new Map<string, Watched>();
  #check: ResolvedHealthCheck;
  /** The TLS options of the current schedules. */
  #tls: ResolvedPool["tls"];
  #probe: Probe = tracedProbe;
  #shared: SharedProbes | undefined;
  /** Undefined while it is stopped. */
  #context: ProbeScheduleContext | undefined;

  /** Without options, those of the pool are used, or else the defaults. Throws an `OptionsError` with every mistake. */
  constructor(pool: Pool, options?: HealthCheckOptions, runtime?: Partial<Runtime>) {
    this.#pool = pool;
    this.#runtime = resolveRuntime(runtime);
    this.#tls = pool.options.tls;
    this.#check = (options === undefined ? pool.options.healthCheck : undefined) ?? resolveHealthCheck(options ?? {});
  }

  /** Creates a checker with checked options. `ownProbe` replaces the probe in tests and simulations. */
  static resolved(
    pool: Pool,
    check: ResolvedHealthCheck,
    runtime?: Partial<Runtime>,
    ownProbe: Probe = tracedProbe,
    shared?: SharedProbes,
  ): HealthChecker {
    const checker = new HealthChecker(pool, {}, runtime);
    checker.#check = check;
    checker.#probe = ownProbe;
    checker.#shared = shared;
    return checker;
  }

  /**
   * Starts from the verdicts of the pool. Does nothing while it runs. With `initialState` "checking" it holds back every
   * upstream without a verdict that is not in `serving`.
   */
  start(serving: readonly Upstream[] = []): void {
    if (this.#context !== undefined) return;
    this.#begin();
    this.#holdBackExcept(serving);
  }

  /** Restarts if the options differ. Upstreams that get requests continue to get them. */
  reconfigure({ healthCheck, tls }: ResolvedPool, serving: readonly Upstream[]): void {
    if (healthCheck === undefined || this.#context === undefined) return;
    if (isDeepStrictEqual(healthCheck, this.#check) && isDeepStrictEqual(tls, this.#tls)) return;
    this.#end();
    this.#check = healthCheck;
    this.#tls = tls;
    this.#begin();
    if (healthCheck.initialState === "checking") return this.#holdBackExcept(serving);
    for (const { upstream } of this.#schedules.values()) this.#pool.hold(upstream, false);
  }

  /**
   * Aborts the probes in flight, whose results have no effect. It can be started again.
   *
   * Verdicts stay, unless they are to be withdrawn. Upstreams that were held back are released.
   */
  stop(verdicts: Verdicts = "keep"): void {
    if (this.#context === undefined) return;
    for (const schedule of this.#end()) this.#release(schedule);
    if (verdicts === "withdraw") this.#pool.forgetHealth();
  }

  /** Brings the next probe of an upstream forward, if this checker probes it. */
  probeSoon(upstream: Upstream): void {
    const schedule = this.#schedules.get(upstream.id);
    if (schedule?.upstream === upstream) schedule.probeSoon();
  }

  /** Determines again which upstreams to probe. Returns the ids of those that are probed no longer. */
  reassign(): readonly string[] {
    const released: string[] = [];
    for (const [id, schedule] of this.#schedules) {
      const { upstream } = schedule;
      const probes = schedule instanceof ProbeSchedule;
      if (probes === this.#probes(upstream)) continue;
      schedule.close();
      this.#watch(upstream);
      if (probes) released.push(id);
    }
    return released;
  }

  #begin(): void {
    const stalls = new EventLoopStallDetector(this.#runtime.clock, this.#check.timeoutMs);
    this.#context = {
      check: this.#check,
      runtime: this.#runtime,
      slots: this.#slots,
      stalls,
      probe: this.#send,
      report: this.#report,
    };
    stalls.start();
    this.#pool.on("member", this.#onMember).on("state", this.#onState).on("failure", this.#onFailure);
    for (const upstream of this.#pool.upstreams) this.#watch(upstream);
  }

  /** Stops all probes and returns the closed schedules. */
  #end(): readonly Watched[] {
    this.#context?.stalls.stop();
    this.#context = undefined;
    this.#pool.off("member", this.#onMember).off("state", this.#onState).off("failure", this.#onFailure);
    this.#slots.clear();
    const schedules = [...this.#schedules.values()];
    this.#schedules.clear();
    for (const schedule of schedules) schedule.close();
    return schedules;
  }

  #watch(upstream: Upstream): void {
    if (this.#context === undefined || upstream.state === "disabled") return;
    const schedule = this.#probes(upstream)
      ? new ProbeSchedule(upstream, this.#context)
      : new ProbedElsewhere(upstream);
    this.#schedules.set(upstream.id, schedule);
  }

  #probes(upstream: Upstream): boolean {
    return this.#shared?.isProber(upstream) ?? true;
  }

  #add(upstream: Upstream): void {
    this.#watch(upstream);
    if (this.#schedules.has(upstream.id)) this.#holdBack(upstream);
  }

  #forget(id: string): void {
    const schedule = this.#schedules.get(id);
    if (schedule === undefined) return;
    this.#schedules.delete(id);
    schedule.close();
    this.#release(schedule);
  }

  /** Holds back an upstream until its first verdict, with `initialState` "checking". */
  #holdBack(upstream: Upstream): void {
    if (this.#check.initialState === "checking" && upstream.health === "unknown") this.#pool.hold(upstream, true);
  }

  #holdBackExcept(serving: readonly Upstream[]): void {
    for (const { upstream } of this.#schedules.values()) if (!serving.includes(upstream)) this.#holdBack(upstream);
  }

  #release({ upstream, verdict }: Watched): void {
    if (verdict === "unknown") this.#pool.hold(upstream, false);
  }

  readonly #send: ProbeScheduleContext["probe"] = async (upstream, signal, deadline) => {
    try {
      return await this.#probe(upstream.address, this.#check, this.#pool.options.tls, {
        signal,
        connector: this.#pool.connector,
        connections: this.#pool.options.connections,
        runtime: this.#runtime,
        deadline,
        names: { pool: this.#pool.name, upstream: upstream.id },
      });
    } catch {
      return { ok: false, reason: "internal" };
    }
  };

  readonly #report = (upstream: Upstream, result: ProbeResult, changed: boolean, startedAt: number): void => {
    const { ok, reason, cause } = result;
    debug("%s/%s: %s %s", this.#pool.name, upstream.id, reason, cause ?? "");
    this.#pool.countProbe(upstream, result, startedAt);
    if (this.#shared !== undefined) {
      const verdict = this.#schedules.get(upstream.id)?.verdict ?? "unknown";
      this.#shared.onResult(upstream, result, verdict, startedAt);
    } else if (changed) this.#pool.setHealth(upstream, ok ? "healthy" : "unhealthy", reason, cause);
  };

  readonly #onMember = ({ upstream: id, change }: MemberEvent): void => {
    if (change === "drained") return;
    this.#forget(id);
    const upstream = this.#pool.get(id);
    if (change === "added" && upstream !== undefined) this.#add(upstream);
  };

  readonly #onState = ({ upstream: id, to }: StateEvent): void => {
    const upstream = this.#pool.get(id);
    if (to === "disabled") this.#forget(id);
    else if (upstream !== undefined && !this.#schedules.has(id)) this.#add(upstream);
  };

  readonly #onFailure = (upstream: Upstream): void => this.probeSoon(upstream);
}

/** In place of the schedule of an upstream that another participant probes. */
class ProbedElsewhere implements Watched {
  readonly upstream: Upstream;

  constructor(upstream: Upstream) {
    this.upstream = upstream;
  }

  get verdict(): Health {
    return this.upstream.health;
  }

  probeSoon(): void {}

  close(): void {}
}
