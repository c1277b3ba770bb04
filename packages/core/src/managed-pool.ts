import { isDeepStrictEqual } from "node:util";
import { Balancer } from "./balancer/balancer.ts";
import type { ResolvedPool } from "./config/resolved.ts";
import { Discovery } from "./discovery/discovery.ts";
import { HealthChecker } from "./health/health-checker.ts";
import { OutlierDetector } from "./health/outlier-detector.ts";
import type { Probe } from "./health/probe.ts";
import { WeightFeedback } from "./health/weight-feedback.ts";
import type { MemberChanges } from "./pool/members.ts";
import { Pool } from "./pool/pool.ts";
import { backgroundClock } from "./runtime/async-context.ts";
import type { Runtime } from "./runtime/runtime.ts";
import type { Connector } from "./transport/connector.ts";

/** What a pool does its work with beside its options. */
export interface PoolSurroundings {
  /** That of its proxy, for all its pools. */
  readonly connector?: Connector;
  readonly probe?: Probe;
}

/** A pool at work in a proxy, with what picks from it, watches it and changes it. */
export class ManagedPool {
  readonly pool: Pool;
  balancer: Balancer;
  /** For what watches the pool. A request's failure makes probes and lookups come sooner, and they are none of that request's. */
  readonly #runtime: Runtime;
  readonly #probe: Probe | undefined;
  #checker: HealthChecker | undefined;
  #detector: OutlierDetector | undefined;
  #feedback: WeightFeedback | undefined;
  #discovery: Discovery | undefined;

  /** `probe` takes the place of the one that goes over the network. */
  constructor(name: string, options: ResolvedPool, runtime: Runtime, { connector, probe }: PoolSurroundings = {}) {
    this.#runtime = { ...runtime, clock: backgroundClock(runtime.clock) };
    this.#probe = probe;
    this.pool = Pool.resolved(name, options, runtime, connector);
    this.balancer = new Balancer(this.pool, {}, runtime);
    if (connector !== undefined) this.#lookUpNames(connector);
    this.#startChecker();
    this.#startDetector();
    this.#startFeedback();
    this.#startDiscovery();
  }

  /** Takes on new options. Whatever is not concerned keeps its state. */
  reconfigure(options: ResolvedPool): MemberChanges {
    const { pool } = this;
    const before = pool.options;
    const serving = pool.available;
    const members = pool.reconfigure(options);
    const differ = (...keys: readonly (keyof ResolvedPool)[]) =>
      keys.some((key) => !isDeepStrictEqual(before[key], options[key]));
    if (differ("balance", "hashBalanceFactor")) this.balancer = new Balancer(pool, {}, this.#runtime);
    if (differ("healthCheck", "tls")) {
      this.#checker?.stop();
      this.#startChecker();
      // New checks hold newcomers back, not those who are at work.
      for (const upstream of serving) pool.hold(upstream, false);
    }
    if (differ("outlierDetection")) this.#reconfigureDetector(options);
    if (differ("weights")) this.#restartFeedback(options);
    if (differ("discovery")) {
      this.#discovery?.stop();
      this.#startDiscovery();
    } else {
      this.#discovery?.renew();
    }
    return members;
  }

  /** Watches no more. What is under way goes on. */
  stop(): void {
    this.#checker?.stop();
    this.#detector?.halt();
    this.#feedback?.halt();
    this.#discovery?.stop();
    // Nobody waits for an answer that will not come.
    this.pool.lookups.record(null);
  }

  /** Names are looked up before the first request, so that it need not wait and later ones survive an outage of DNS. */
  #lookUpNames(connector: Connector): void {
    for (const { address } of this.pool.upstreams) connector.nameOf(address)?.use();
    this.pool.on("member", ({ upstream: id, change }) => {
      const upstream = change === "added" ? this.pool.get(id) : undefined;
      if (upstream !== undefined) connector.nameOf(upstream.address)?.use();
    });
  }

  #startChecker(): void {
    const { healthCheck } = this.pool.options;
    this.#checker = healthCheck && HealthChecker.resolved(this.pool, healthCheck, this.#runtime, this.#probe);
    if (this.#checker === undefined) this.pool.forgetHealth();
    this.#checker?.start();
  }

  #startDetector(): void {
    const { outlierDetection } = this.pool.options;
    this.#detector = outlierDetection && new OutlierDetector(this.pool, undefined, this.#runtime);
    this.#detector?.start();
  }

  /** Whoever is out stays out for as long as it was told, unless nobody watches any more. */
  #reconfigureDetector({ outlierDetection }: ResolvedPool): void {
    if (outlierDetection === undefined) {
      this.#detector?.stop();
      this.#detector = undefined;
    } else if (this.#detector === undefined) {
      this.#startDetector();
    } else {
      this.#detector.reconfigure(outlierDetection);
    }
  }

  /** Factors stay where they are, unless nobody moves them any more. */
  #restartFeedback({ weights }: ResolvedPool): void {
    if (weights?.mode === "feedback") this.#feedback?.halt();
    else this.#feedback?.stop();
    this.#startFeedback();
  }

  #startFeedback(): void {
    const { weights } = this.pool.options;
    this.#feedback = weights?.mode === "feedback" ? new WeightFeedback(this.pool, weights, this.#runtime) : undefined;
    this.#feedback?.start();
  }

  /** Members that were found by other options stay until these have an answer. */
  #startDiscovery(): void {
    const { discovery } = this.pool.options;
    this.#discovery = discovery && new Discovery(this.pool, discovery, this.#runtime);
    if (this.#discovery === undefined) this.pool.lookups.record(null);
    this.#discovery?.start();
  }
}
