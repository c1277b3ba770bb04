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
import type { PoolWatcher } from "./pool/pool-watcher.ts";
import type { Upstream } from "./pool/upstream.ts";
import { backgroundClock } from "./runtime/async-context.ts";
import type { Runtime } from "./runtime/runtime.ts";
import type { Connector } from "./transport/connector.ts";

/** What a pool does its work with beside its options. */
export interface PoolSurroundings {
  /** That of its proxy, for all its pools. */
  readonly connector?: Connector;
  readonly probe?: Probe;
}

/** Makes a watcher, which has no effect before its start, or nothing when the options do not ask for its kind. */
type WatcherFactory = (options: ResolvedPool, pool: Pool, runtime: Runtime, probe?: Probe) => PoolWatcher | undefined;

/** In the order in which they start. */
const watcherFactories: readonly WatcherFactory[] = [
  ({ healthCheck }, pool, runtime, probe) => healthCheck && HealthChecker.resolved(pool, healthCheck, runtime, probe),
  ({ outlierDetection }, pool, runtime) => outlierDetection && new OutlierDetector(pool, undefined, runtime),
  ({ weights }, pool, runtime) =>
    weights?.mode === "feedback" ? new WeightFeedback(pool, weights, runtime) : undefined,
  ({ discovery }, pool, runtime) => discovery && new Discovery(pool, discovery, runtime),
];

/** A pool of a proxy, with its balancer and the watchers that its options ask for. */
export class ManagedPool {
  readonly pool: Pool;
  balancer: Balancer;
  /** For watchers. The failure of a request brings probes and lookups forward, and they do not run in its async context. */
  readonly #runtime: Runtime;
  readonly #probe: Probe | undefined;
  readonly #watchers = new Map<WatcherFactory, PoolWatcher>();

  /** `probe` takes the place of the one that goes over the network. */
  constructor(name: string, options: ResolvedPool, runtime: Runtime, { connector, probe }: PoolSurroundings = {}) {
    this.#runtime = { ...runtime, clock: backgroundClock(runtime.clock) };
    this.#probe = probe;
    this.pool = Pool.resolved(name, options, runtime, connector);
    this.balancer = new Balancer(this.pool, {}, runtime);
    if (connector !== undefined) this.#lookUpNames(connector);
    this.#watch([]);
  }

  /** Takes over new options. What they do not concern keeps its state. */
  reconfigure(options: ResolvedPool): MemberChanges {
    const { pool } = this;
    const { balance, hashBalanceFactor } = pool.options;
    const serving = pool.upstreams.filter(({ held }) => !held);
    const members = pool.reconfigure(options);
    const sameBalance = isDeepStrictEqual([balance, hashBalanceFactor], [options.balance, options.hashBalanceFactor]);
    if (!sameBalance) this.balancer = new Balancer(pool, {}, this.#runtime);
    this.#watch(serving);
    return members;
  }

  /** Ends the watchers. Requests in flight go on, with the verdicts that there are. */
  stop(): void {
    for (const watcher of this.#watchers.values()) watcher.stop("keep");
    this.#watchers.clear();
  }

  /** Starts, changes and ends watchers, until they are those that the pool's options ask for. */
  #watch(serving: readonly Upstream[]): void {
    const { options } = this.pool;
    for (const factory of watcherFactories) {
      const running = this.#watchers.get(factory);
      const made = factory(options, this.pool, this.#runtime, this.#probe);
      if (made === undefined) {
        running?.stop("withdraw");
        this.#watchers.delete(factory);
      } else if (running === undefined) {
        this.#watchers.set(factory, made);
        made.start(serving);
      } else {
        running.reconfigure(options, serving);
      }
    }
  }

  /** Names are looked up before the first request, so that it need not wait and later ones survive an outage of DNS. */
  #lookUpNames(connector: Connector): void {
    for (const { address } of this.pool.upstreams) connector.nameOf(address)?.use();
    this.pool.on("member", ({ upstream: id, change }) => {
      const upstream = change === "added" ? this.pool.get(id) : undefined;
      if (upstream !== undefined) connector.nameOf(upstream.address)?.use();
    });
  }
}
