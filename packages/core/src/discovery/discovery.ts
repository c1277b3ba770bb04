import { isDeepStrictEqual } from "node:util";
import createDebug from "debug";
import { limits } from "../config/defaults.ts";
import type { ResolvedDiscovery, ResolvedPool, ResolvedUpstream } from "../config/resolved.ts";
import { type OpenDns, openNodeDns } from "../dns/dns-client.ts";
import { LookupFailure } from "../dns/lookup-failure.ts";
import type { HealthEvent } from "../events.ts";
import type { Pool } from "../pool/pool.ts";
import type { PoolWatcher } from "../pool/pool-watcher.ts";
import type { Timer } from "../runtime/clock.ts";
import { InputTimeout } from "../runtime/input-timeout.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { DiscoverySnapshot } from "../snapshot.ts";
import type { KnownAddresses } from "./addresses.ts";
import { type Findings, lookUp } from "./lookup.ts";

const debug = createDebug("evenkeel:discovery");

/**
 * Keeps a pool's members as DNS has them.
 *
 * A lookup is followed by the next one when the TTL of its records has passed, after the refresh time at the latest, and at
 * once when every member has failed or the configuration is loaded again. One that fails changes no members, and is
 * repeated after a pause that grows to the refresh time. After NXDOMAIN or an empty answer the members stay for the hold
 * time, and leave if DNS then still says so. There is never more than one lookup at a time.
 */
export class Discovery implements PoolWatcher {
  readonly #pool: Pool;
  #options: ResolvedDiscovery;
  readonly #runtime: Runtime;
  readonly #openDns: OpenDns;
  #known: KnownAddresses = new Map();
  #found: readonly ResolvedUpstream[] | undefined;
  /** In a row. */
  #failures = 0;
  /** When the first of the empty answers in a row came, on the clock. */
  #emptySince: number | undefined;
  /** The ids of those that have failed since the last lookup. */
  readonly #failed = new Set<string>();
  #flight: AbortController | undefined;
  #timer: Timer | undefined;
  #endedAt = -Infinity;
  #dueAt = Infinity;
  #stopped = false;
  #state: DiscoverySnapshot;

  constructor(pool: Pool, options: ResolvedDiscovery, runtime: Runtime, openDns: OpenDns = openNodeDns) {
    this.#pool = pool;
    this.#options = options;
    this.#runtime = runtime;
    this.#openDns = openDns;
    this.#state = initialState(pool, options);
  }

  /** Looks up at once. Until the first lookup has ended, requests that find no upstream wait for it. */
  start(): void {
    this.#pool.on("failure", this.#onMemberFailed).on("health", this.#onHealth);
    void this.#lookUp();
  }

  /**
   * The same options: keeps its members beside those that are listed, and looks up. Other ones: begins again, and the
   * members stay until the first lookup has ended.
   */
  reconfigure({ discovery }: ResolvedPool): void {
    if (discovery === undefined || this.#stopped) return;
    if (isDeepStrictEqual(discovery, this.#options)) return this.#renew();
    this.#end();
    this.#options = discovery;
    this.#known = new Map();
    this.#found = undefined;
    this.#failures = 0;
    this.#emptySince = undefined;
    this.#failed.clear();
    this.#endedAt = -Infinity;
    this.#state = initialState(this.#pool, discovery);
    this.start();
  }

  /** Ends it for good. Members stay. No request waits for a lookup that will not end. */
  stop(): void {
    this.#stopped = true;
    this.#end();
    this.#pool.discoveryStatus.record(null);
  }

  #end(): void {
    this.#pool.off("failure", this.#onMemberFailed).off("health", this.#onHealth);
    this.#runtime.clock.clearTimeout(this.#timer);
    const flight = this.#flight;
    this.#flight = undefined;
    flight?.abort();
  }

  #renew(): void {
    if (this.#found !== undefined) this.#pool.setDiscovered(this.#found);
    this.#hurry();
  }

  async #lookUp(): Promise<void> {
    const { clock } = this.#runtime;
    const flight = new AbortController();
    this.#flight = flight;
    this.#dueAt = Infinity;
    this.#report({ nextLookup: null });
    const deadline = new InputTimeout(clock, () => flight.abort(), limits.discoveryTimeoutMs);
    let result: Findings | LookupFailure;
    try {
      const client = this.#openDns(this.#options.servers, flight.signal);
      result = await lookUp({ options: this.#options, client, known: this.#known, now: clock.now() });
    } catch (error) {
      result = LookupFailure.from(error);
    }
    deadline.clear();
    if (this.#flight !== flight) return;
    this.#flight = undefined;
    this.#endedAt = clock.now();
    this.#failed.clear();
    if (result instanceof LookupFailure) this.#onFailure(result);
    else this.#onFound(result);
  }

  #onFound({ upstreams, ttlMs, passedOver, known }: Findings): void {
    debug("%s: %s leads to %d upstreams", this.#pool.name, this.#options.name, upstreams.length);
    this.#known = known;
    this.#found = upstreams;
    this.#failures = 0;
    this.#emptySince = undefined;
    this.#pool.setDiscovered(upstreams);
    const { lookups } = this.#state;
    this.#report({
      status: "ok",
      lookups: { ...lookups, success: lookups.success + 1 },
      lastSuccess: this.#runtime.clock.wallNow(),
      nextLookup: this.#schedule(Math.max(Math.min(this.#options.refreshMs, ttlMs), limits.discoveryMinMs)),
      passedOver,
    });
  }

  #onFailure(failure: LookupFailure): void {
    const { message: reason } = failure;
    debug("%s: %s: %s", this.#pool.name, this.#options.name, reason);
    const { lookups } = this.#state;
    const pauseMs = Math.min(limits.discoveryMinMs * 2 ** this.#failures++, this.#options.refreshMs);
    const leftMs = failure.empty ? this.#holdLeftMs() : Infinity;
    if (leftMs <= 0) {
      this.#found = [];
      this.#known = new Map();
      this.#pool.setDiscovered([]);
    }
    this.#report({
      status: "failing",
      lookups: { ...lookups, failure: lookups.failure + 1 },
      lastError: Object.freeze({ reason, at: this.#runtime.clock.wallNow() }),
      nextLookup: this.#schedule(leftMs > 0 ? Math.min(pauseMs, Math.max(leftMs, limits.discoveryMinMs)) : pauseMs),
    });
  }

  /** Milliseconds for which the members stay after an empty answer. */
  #holdLeftMs(): number {
    if (this.#found === undefined || this.#found.length === 0) return Infinity;
    const now = this.#runtime.clock.now();
    this.#emptySince ??= now;
    return this.#emptySince + this.#options.holdMs - now;
  }

  readonly #onMemberFailed = ({ id }: { readonly id: string }): void => this.#noteFailed(id);

  readonly #onHealth = ({ upstream, to }: HealthEvent): void => {
    if (to === "unhealthy") this.#noteFailed(upstream);
  };

  /** When every member has failed, DNS may know others. */
  #noteFailed(id: string): void {
    const found = this.#found;
    if (found === undefined || this.#flight !== undefined) return;
    this.#failed.add(id);
    if (this.#failed.size < found.length || !found.every((upstream) => this.#failed.has(upstream.id))) return;
    this.#failed.clear();
    this.#hurry();
  }

  /** Brings the next lookup forward to now, or to a moment after the last one. */
  #hurry(): void {
    const { clock } = this.#runtime;
    const dueAt = Math.max(clock.now(), this.#endedAt + limits.discoveryMinMs);
    if (this.#flight !== undefined || dueAt >= this.#dueAt) return;
    clock.clearTimeout(this.#timer);
    if (dueAt <= clock.now()) void this.#lookUp();
    else this.#report({ nextLookup: this.#scheduleExactly(dueAt - clock.now()) });
  }

  /** Returns when that will be. Processes that began together do not go on asking together. */
  #schedule(delayMs: number): number {
    return this.#scheduleExactly(Math.round(delayMs * (1 + limits.discoveryJitter * this.#runtime.random())));
  }

  #scheduleExactly(delayMs: number): number {
    const { clock } = this.#runtime;
    this.#dueAt = clock.now() + delayMs;
    this.#timer = clock.setTimeout(() => void this.#lookUp(), delayMs);
    return clock.wallNow() + delayMs;
  }

  #report(change: Partial<DiscoverySnapshot>): void {
    this.#state = Object.freeze({ ...this.#state, ...change });
    this.#pool.discoveryStatus.record(this.#state);
  }
}

function initialState(pool: Pool, { name }: ResolvedDiscovery): DiscoverySnapshot {
  return {
    name,
    status: "awaited",
    lookups: pool.discoveryStatus.state?.lookups ?? { success: 0, failure: 0 },
    lastSuccess: null,
    lastError: null,
    nextLookup: null,
    passedOver: 0,
  };
}
