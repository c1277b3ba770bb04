import { isDeepStrictEqual } from "node:util";
import { limits } from "./config/defaults.ts";
import type { ResolvedPool } from "./config/resolved.ts";
import type { ReloadChanges } from "./events.ts";
import { ManagedPool, type WatcherSurroundings } from "./managed-pool.ts";
import type { Pool } from "./pool/pool.ts";
import { MapView } from "./runtime/map-view.ts";
import type { Runtime } from "./runtime/runtime.ts";
import type { Connector } from "./transport/connector.ts";

/** What the pools of a proxy share. */
interface Shared extends WatcherSurroundings {
  readonly runtime: Runtime;
  readonly connector: Connector;
  /** Called with each pool before its first event. */
  readonly onAdded: (pool: Pool) => void;
}

/** The pools of a proxy, by name, and those that a reload has removed and that still finish their requests. */
export class PoolRegistry {
  readonly #shared: Shared;
  readonly #current = new Map<string, ManagedPool>();
  readonly #retiring = new Set<Pool>();
  /** Follows every reload. */
  readonly pools: ReadonlyMap<string, Pool> = new MapView(this.#current, ({ pool }) => pool);

  constructor(options: ReadonlyMap<string, ResolvedPool>, shared: Shared) {
    this.#shared = shared;
    for (const [name, pool] of options) this.#add(name, pool);
  }

  get current(): ReadonlyMap<string, ManagedPool> {
    return this.#current;
  }

  /** Adds, changes and removes pools until they are those of new options. */
  apply(options: ReadonlyMap<string, ResolvedPool>): Omit<ReloadChanges, "routes"> {
    const pools = { added: [] as string[], removed: [] as string[], changed: [] as string[] };
    const upstreams = { added: [] as string[], removed: [] as string[] };
    const missing = [...this.#current].filter(([name]) => !options.has(name));
    for (const [name, pool] of options) {
      const existing = this.#current.get(name);
      if (existing === undefined) {
        this.#add(name, pool);
        pools.added.push(name);
        upstreams.added.push(...pool.upstreams.map(({ id }) => `${name}/${id}`));
        continue;
      }
      if (!isDeepStrictEqual(existing.pool.options, pool)) pools.changed.push(name);
      const members = existing.reconfigure(pool);
      upstreams.added.push(...members.added.map((id) => `${name}/${id}`));
      upstreams.removed.push(...members.removed.map((id) => `${name}/${id}`));
    }
    for (const [name, { pool }] of missing) {
      upstreams.removed.push(...pool.upstreams.map(({ id }) => `${name}/${id}`));
      pools.removed.push(name);
      this.#remove(name);
    }
    return { pools, upstreams };
  }

  /** Ends health checks and lookups, and lets no request wait for an upstream to come back. Requests in flight go on. */
  stop(): void {
    for (const one of this.#current.values()) one.stop();
    for (const pool of this.#all()) pool.outage.close();
  }

  /** Closes every connection. */
  close(): void {
    for (const pool of this.#all()) pool.close();
  }

  #add(name: string, options: ResolvedPool): void {
    const { runtime, onAdded } = this.#shared;
    const added = new ManagedPool(name, options, runtime, this.#shared);
    onAdded(added.pool);
    this.#current.set(name, added);
  }

  #remove(name: string): void {
    const removed = this.#current.get(name);
    if (removed === undefined) return;
    removed.stop();
    this.#current.delete(name);
    this.#retire(removed.pool);
  }

  /** What began with a pool may go on with it, queue and retries included. Its upstreams leave once it is idle. */
  #retire(pool: Pool): void {
    if (pool.inFlight > 0 || pool.queue.depth > 0 || pool.outage.depth > 0) {
      this.#retiring.add(pool);
      this.#shared.runtime.clock.setTimeout(() => this.#retire(pool), limits.retireCheckMs);
      return;
    }
    this.#retiring.delete(pool);
    for (const { id } of pool.upstreams) pool.remove(id);
  }

  #all(): readonly Pool[] {
    return [...this.pools.values(), ...this.#retiring];
  }
}
