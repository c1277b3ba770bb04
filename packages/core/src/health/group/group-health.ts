/**
 * Active health checks in a group of proxies: each upstream is probed by the participants that `Coordination.isProber` names,
 * and all participants apply the verdict. A participant without probes costs one message for each change of a verdict.
 *
 * What a participant's own requests show comes first, for this participant alone. A verdict that the upstream cannot be
 * reached has no effect while its own requests reach it. An upstream that its own requests fail to reach is ejected by outlier
 * detection, whatever the verdict; a probe of another participant then brings the trial forward, and no more.
 *
 * Failures and ejections travel as hints: they bring the next probe forward, and its success is reported to all.
 */

import type { ResolvedHealthCheck, ResolvedPool } from "../../config/resolved.ts";
import type { Coordination, Evidence, Observation } from "../../coordination/coordination.ts";
import type { EjectEvent, Health, MemberEvent, ReadmitEvent } from "../../events.ts";
import type { Pool } from "../../pool/pool.ts";
import type { PoolWatcher, Verdicts } from "../../pool/pool-watcher.ts";
import type { Upstream } from "../../pool/upstream.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { HealthChecker } from "../health-checker.ts";
import type { Probe, ProbeResult } from "../probe.ts";
import { groupVerdict, isTransportFailure, verdictsAbout } from "./group-verdict.ts";
import { OwnTraffic } from "./own-traffic.ts";

/** The least milliseconds between two hints about the failures of an upstream. */
const hintIntervalMs = 1_000;
/** Milliseconds for which a hint makes an upstream suspect. */
const suspectMs = 10_000;

export class GroupHealth implements PoolWatcher {
  readonly #pool: Pool;
  readonly #runtime: Runtime;
  readonly #coordination: Coordination;
  readonly #checker: HealthChecker;
  readonly #traffic = new OwnTraffic((upstream) => this.#decide(upstream));
  /** When the failures began that the last probe of this participant continued. By id, milliseconds since 1970. */
  readonly #failingSince = new Map<string, number>();
  /** On the monotonic clock. */
  readonly #hintedAt = new WeakMap<Upstream, number>();
  #check: ResolvedHealthCheck;
  #end: (() => void) | undefined;

  constructor(
    pool: Pool,
    check: ResolvedHealthCheck,
    coordination: Coordination,
    runtime: Runtime,
    probe: Probe | undefined,
  ) {
    this.#pool = pool;
    this.#check = check;
    this.#coordination = coordination;
    this.#runtime = runtime;
    this.#checker = HealthChecker.resolved(pool, check, runtime, probe, {
      isProber: ({ id }) => coordination.isProber(pool.name, id),
      onResult: this.#onResult,
    });
  }

  start(serving: readonly Upstream[]): void {
    const { evidence, participants } = { evidence: this.#onEvidence, participants: this.#onParticipants };
    const unsubscribe = this.#coordination.subscribe({ evidence, participants });
    const stopObserving = this.#pool.observe(this.#traffic);
    const pool = this.#pool.on("member", this.#onMember).on("failure", this.#onFailure);
    pool.on("eject", this.#onEject).on("readmit", this.#onReadmit);
    this.#end = () => {
      unsubscribe();
      stopObserving();
      pool.off("member", this.#onMember).off("failure", this.#onFailure);
      pool.off("eject", this.#onEject).off("readmit", this.#onReadmit);
    };
    for (const upstream of pool.upstreams) this.#catchUp(upstream);
    this.#checker.start(serving);
  }

  reconfigure(options: ResolvedPool, serving: readonly Upstream[]): void {
    if (options.healthCheck !== undefined) this.#check = options.healthCheck;
    this.#checker.reconfigure(options, serving);
  }

  /** Withdraws the verdicts of this participant. Those of others stay, for those who still check. */
  stop(verdicts: Verdicts): void {
    this.#end?.();
    this.#end = undefined;
    this.#failingSince.clear();
    this.#checker.stop(verdicts);
    this.#withdraw(this.#pool.upstreams.map(({ id }) => id));
  }

  /** For an upstream that is new here. */
  #catchUp(upstream: Upstream): void {
    const evidence = this.#coordination.evidence(this.#pool.name, upstream.id);
    for (const one of evidence) if (one.kind === "verdict") this.#onOne(upstream, one);
  }

  /** Applies the verdict of the group, if there is one. Without one, such as after the end of a prober, the last one stays. */
  #decide(upstream: Upstream): void {
    const verdicts = verdictsAbout(upstream.url, this.#coordination.evidence(this.#pool.name, upstream.id));
    const verdict = groupVerdict(verdicts);
    if (verdict === undefined) return;
    const { health, reason, cause } = verdict;
    if (health === "healthy" || !this.#isRefuted(upstream, verdicts)) {
      this.#pool.setHealth(upstream, health, reason, cause);
    } else if (upstream.health === "unhealthy") this.#pool.setHealth(upstream, "healthy", "reached by requests");
  }

  /** Own probes and own requests take the same way, so own verdicts are not refuted. */
  #isRefuted(upstream: Upstream, verdicts: ReturnType<typeof verdictsAbout>): boolean {
    const { self } = this.#coordination;
    return verdicts.every(
      ({ by, transport, at }) =>
        transport && by !== self && this.#traffic.reachedAfter(upstream, this.#toMonotonic(at)),
    );
  }

  readonly #onResult = (upstream: Upstream, result: ProbeResult, verdict: Health, startedAt: number): void => {
    const { id, url } = upstream;
    const { ok, reason, cause } = result;
    const at = this.#toWall(startedAt);
    if (ok) this.#failingSince.delete(id);
    else if (!this.#failingSince.has(id)) this.#failingSince.set(id, at);
    const about = { pool: this.#pool.name, upstream: id };
    const health = ok ? "healthy" : "unhealthy";
    if (verdict === health && this.#ownVerdict(upstream) !== health) {
      const transport = !ok && isTransportFailure(result, this.#check);
      const why = cause === undefined ? { reason } : { reason, cause };
      const since = this.#failingSince.get(id) ?? at;
      this.#coordination.report([{ ...about, kind: "verdict", url, health, ...why, transport, at: since }]);
      this.#decide(upstream);
    } else if (ok && this.#isSuspect(id)) this.#coordination.report([{ ...about, kind: "probe", at }]);
  };

  /** Whether another participant has trouble with an upstream. */
  #isSuspect(id: string): boolean {
    const now = this.#runtime.clock.wallNow();
    return this.#coordination.evidence(this.#pool.name, id).some((one) => {
      if (one.by === this.#coordination.self) return false;
      return one.kind === "ejection" ? one.until > now : one.kind === "failure" && one.at > now - suspectMs;
    });
  }

  #ownVerdict({ id, url }: Upstream): Health | undefined {
    const { self } = this.#coordination;
    return verdictsAbout(url, this.#coordination.evidence(this.#pool.name, id)).find(({ by }) => by === self)?.health;
  }

  #withdraw(ids: readonly string[]): void {
    const pool = this.#pool.name;
    const { self } = this.#coordination;
    const given = ids.flatMap((id) =>
      this.#coordination.evidence(pool, id).filter(({ by, kind }) => by === self && kind === "verdict"),
    );
    const withdrawn = given.flatMap((one): Observation[] => {
      if (one.kind !== "verdict" || one.health === "unknown") return [];
      const { upstream, url, at } = one;
      return [{ pool, upstream, kind: "verdict", url, health: "unknown", reason: "withdrawn", transport: false, at }];
    });
    this.#coordination.report(withdrawn);
  }

  readonly #onEvidence = (evidence: readonly Evidence[]): void => {
    for (const one of evidence) {
      const upstream = one.pool === this.#pool.name ? this.#pool.get(one.upstream) : undefined;
      if (upstream !== undefined) this.#onOne(upstream, one);
    }
  };

  #onOne(upstream: Upstream, one: Evidence): void {
    if (one.kind === "verdict") this.#decide(upstream);
    if (one.kind === "probe" || (one.kind === "verdict" && one.health === "healthy" && one.url === upstream.url)) {
      this.#pool.verdicts.probedElsewhere(upstream, this.#toMonotonic(one.at));
    }
    if (one.kind === "failure" || (one.kind === "ejection" && one.until > 0)) this.#checker.probeSoon(upstream);
  }

  readonly #onParticipants = (): void => {
    const released = this.#checker.reassign();
    for (const id of released) this.#failingSince.delete(id);
    this.#withdraw(released);
    for (const upstream of this.#pool.upstreams) this.#decide(upstream);
  };

  readonly #onMember = ({ upstream: id, change }: MemberEvent): void => {
    const upstream = this.#pool.get(id);
    if (change === "added" && upstream !== undefined) this.#catchUp(upstream);
    if (change !== "removed") return;
    this.#failingSince.delete(id);
    this.#withdraw([id]);
  };

  readonly #onFailure = (upstream: Upstream): void => {
    const now = this.#runtime.clock.now();
    if (now - (this.#hintedAt.get(upstream) ?? -Infinity) < hintIntervalMs) return;
    this.#hintedAt.set(upstream, now);
    this.#hint({ pool: this.#pool.name, upstream: upstream.id, kind: "failure", at: this.#runtime.clock.wallNow() });
  };

  readonly #onEject = ({ pool, upstream, forMs }: EjectEvent): void => {
    this.#hint({ pool, upstream, kind: "ejection", until: this.#runtime.clock.wallNow() + forMs });
  };

  readonly #onReadmit = ({ pool, upstream }: ReadmitEvent): void => {
    this.#hint({ pool, upstream, kind: "ejection", until: 0 });
  };

  #hint(hint: Observation): void {
    if (this.#coordination.participants().length > 1) this.#coordination.report([hint]);
  }

  #toWall(time: number): number {
    const { clock } = this.#runtime;
    return clock.wallNow() - (clock.now() - time);
  }

  /** A time on the clock of another participant, which may be ahead, is not later than now. */
  #toMonotonic(at: number): number {
    const { clock } = this.#runtime;
    return clock.now() - Math.max(0, clock.wallNow() - at);
  }
}
