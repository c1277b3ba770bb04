import { isDeepStrictEqual } from "node:util";
import { Balancer } from "./balancer/balancer.ts";
import type { ResolvedPool } from "./config/resolved.ts";
import type { Coordination } from "./coordination/coordination.ts";
import { OperatorIntent } from "./coordination/operator-intent.ts";
import { Discovery } from "./discovery/discovery.ts";
import type { OpenDns } from "./dns/dns-client.ts";
import { GroupHealth } from "./health/group/group-health.ts";
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

/** What watchers have beside the pool and its options. */
export interface WatcherSurroundings {
  /** Replaces probes that go over the network. */
  readonly probe?: Probe | undefined;
  /** Replaces lookups that go over the network. */
  readonly openDns?: OpenDns | undefined;
  /** Undefined for a proxy that is alone. */
  readonly coordination?: Coordination | undefined;
}

/** What a pool does its work with beside its options. */
export interface PoolSurroundings extends WatcherSurroundings {
  /** That of its proxy, for all its pools. */
  readonly connector?: Connector;
}

/** Creates a watcher, which has no effect before its start. */
type CreateWatcher = (pool: Pool, runtime: Runtime) => PoolWatcher;
type WatcherKind = (options: ResolvedPool, surroundings: WatcherSurroundings) => CreateWatcher | undefined;

/** For each kind of watcher how it is created, or undefined if a pool needs none. In the order of their start. */
const watcherKinds: Readonly<Record<string, WatcherKind>> = {
  operatorIntent: (_, { coordination }) =>
    coordination && ((pool, runtime) => new OperatorIntent(pool, coordination, runtime)),
  healthChecker: ({ healthCheck }, { probe, coordination }) =>
    healthCheck &&
    ((pool, runtime) =>
      coordination === undefined
        ? HealthChecker.resolved(pool, healthCheck, runtime, probe)
        : new GroupHealth(pool, healthCheck, coordination, runtime, probe)),
  outlierDetector: ({ outlierDetection }) =>
    outlierDetection && ((pool, runtime) => new OutlierDetector(pool, undefined, runtime)),
  weightFeedback: ({ weights }) =>
    weights?.mode === "feedback" ? (pool, runtime) => new WeightFeedback(pool, weights, runtime) : undefined,
  discovery: ({ discovery }, { openDns }) =>
    discovery && ((pool, runtime) => new Discovery(pool, discovery, runtime, openDns)),
};

/** A pool of a proxy, with its balancer and the watchers that its options ask for. */
export class ManagedPool {
  readonly pool: Pool;
  balancer: Balancer;
  /** For watchers. The failure of a request brings probes and lookups forward, and they do not run in its async context. */
  readonly #runtime: Runtime;
  readonly #surroundings: WatcherSurroundings;
  /** By kind. */
  readonly #watchers = new Map<string, PoolWatcher>();

  constructor(
    name: string,
    options: ResolvedPool,
    runtime: Runtime,
    { connector, probe, openDns, coordination }: PoolSurroundings = {},
  ) {
    this.#runtime = { ...runtime, clock: backgroundClock(runtime.clock) };
    this.#surroundings = { probe, openDns, coordination };
    this.pool = Pool.resolved(name, options, runtime, connector);
    this.balancer = new Balancer(this.pool, { startAnywhere: coordination !== undefined }, runtime);
    if (connector !== undefined) this.#lookUpNames(connector);
    this.#watch([]);
  }

  /** Takes over new options. What they do not concern keeps its state. */
  reconfigure(options: ResolvedPool): MemberChanges {
    const { pool } = this;
    const { balance, hashBalanceFactor } = pool.options;
    const startAnywhere = this.#surroundings.coordination !== undefined;
    const serving = pool.upstreams.filter(({ held }) => !held);
    const members = pool.reconfigure(options);
    const sameBalance = isDeepStrictEqual([balance, hashBalanceFactor], [options.balance, options.hashBalanceFactor]);
    if (!sameBalance) this.balancer = new Balancer(pool, { startAnywhere }, this.#runtime);
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
    for (const [kind, creationFor] of Object.entries(watcherKinds)) {
      const running = this.#watchers.get(kind);
      const create = creationFor(options, this.#surroundings);
      if (create === undefined) {
        running?.stop("withdraw");
        this.#watchers.delete(kind);
      } else if (running === undefined) {
        const watcher = create(this.pool, this.#runtime);
        this.#watchers.set(kind, watcher);
        watcher.start(serving);
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
