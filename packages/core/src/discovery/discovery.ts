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
import { type LookupResult, lookUp } from "./lookup.ts";

const debug = createDebug("evenkeel:discovery");

type LookupState = Omit<DiscoverySnapshot, "since">;

/**
 * Keeps the members of a pool in sync with DNS.
 *
 * The next lookup starts when the TTL of the records has passed, after the refresh time at the latest, and at once when every
 * member has failed or the configuration is reloaded. A failed lookup changes no members and is retried after a pause that
 * grows up to the refresh time. After NXDOMAIN or an empty response the members stay for the hold time, and leave if the
 * response is then still the same. At most one lookup is in flight.
 */
export class Discovery implements PoolWatcher {
  readonly #pool: Pool;
  #options: ResolvedDiscovery;
  readonly #runtime: Runtime;
  readonly #openDns: OpenDns;
  #known: KnownAddresses = new Map();
  #found: readonly ResolvedUpstream[] | undefined;
  /** Consecutive failed lookups. */
  #failures = 0;
  /** The time of the first of consecutive empty responses, on the monotonic clock. */
  #emptySince: number | undefined;
  /** The ids of members that have failed since the last lookup. */
  readonly #failed = new Set<string>();
  #inFlight: AbortController | undefined;
  #timer: Timer | undefined;
  #endedAt = -Infinity;
  #dueAt = Infinity;
  #stopped = false;
  #state: LookupState;

  constructor(pool: Pool, options: ResolvedDiscovery, runtime: Runtime, openDns: OpenDns = openNodeDns) {
    this.#pool = pool;
    this.#options = options;
    this.#runtime = runtime;
    this.#openDns = openDns;
    this.#state = initialState(pool, options);
  }

  /** Starts the first lookup. Until it has ended, requests that find no upstream wait for it. */
  start(): void {
    this.#pool.on("failure", this.#onMemberFailed).on("health", this.#onHealth);
    void this.#lookUp();
  }

  /**
   * With the same options, keeps the members and looks up at once. With different options, starts again; the old members stay
   * until the first lookup has ended.
   */
  reconfigure({ discovery }: ResolvedPool): void {
    if (discovery === undefined || this.#stopped) return;
    if (isDeepStrictEqual(discovery, this.#options)) return this.#refresh();
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

  /** Ends discovery for good. Members stay. Requests no longer wait for a lookup. */
  stop(): void {
    this.#stopped = true;
    this.#end();
    this.#pool.discoveryStatus.record(null);
  }

  #end(): void {
    this.#pool.off("failure", this.#onMemberFailed).off("health", this.#onHealth);
    this.#runtime.clock.clearTimeout(this.#timer);
    const controller = this.#inFlight;
    this.#inFlight = undefined;
    controller?.abort();
  }

  #refresh(): void {
    if (this.#found !== undefined) this.#pool.setDiscovered(this.#found);
    this.#lookUpSoon();
  }

  async #lookUp(): Promise<void> {
    const { clock } = this.#runtime;
    const controller = new AbortController();
    this.#inFlight = controller;
    this.#dueAt = Infinity;
    this.#report({ nextLookup: null });
    const deadline = new InputTimeout(clock, () => controller.abort(), limits.discoveryTimeoutMs);
    let result: LookupResult | LookupFailure;
    try {
      const client = this.#openDns(this.#options.servers, controller.signal);
      result = await lookUp({ options: this.#options, client, known: this.#known, now: clock.now() });
    } catch (error) {
      result = LookupFailure.from(error);
    }
    deadline.clear();
    if (this.#inFlight !== controller) return;
    this.#inFlight = undefined;
    this.#endedAt = clock.now();
    this.#failed.clear();
    if (result instanceof LookupFailure) this.#onFailure(result);
    else this.#onSuccess(result);
  }

  #onSuccess({ upstreams, ttlMs, passedOver, known }: LookupResult): void {
    debug("%s: %s has %d upstreams", this.#pool.name, this.#options.name, upstreams.length);
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
    const remainingMs = failure.empty ? this.#remainingHoldMs() : Infinity;
    if (remainingMs <= 0) {
      this.#found = [];
      this.#known = new Map();
      this.#pool.setDiscovered([]);
    }
    this.#report({
      status: "failing",
      lookups: { ...lookups, failure: lookups.failure + 1 },
      lastError: Object.freeze({ reason, at: this.#runtime.clock.wallNow() }),
      nextLookup: this.#schedule(
        remainingMs > 0 ? Math.min(pauseMs, Math.max(remainingMs, limits.discoveryMinMs)) : pauseMs,
      ),
    });
  }

  /** The milliseconds for which the members still stay after an empty response. */
  #remainingHoldMs(): number {
    if (this.#found === undefined || this.#found.length === 0) return Infinity;
    const now = this.#runtime.clock.now();
    this.#emptySince ??= now;
    return this.#emptySince + this.#options.holdMs - now;
  }

  readonly #onMemberFailed = ({ id }: { readonly id: string }): void => this.#recordFailed(id);

  readonly #onHealth = ({ upstream, to }: HealthEvent): void => {
    if (to === "unhealthy") this.#recordFailed(upstream);
  };

  /** When every member has failed, a lookup starts at once: DNS may have others. */
  #recordFailed(id: string): void {
    const found = this.#found;
    if (found === undefined || this.#inFlight !== undefined) return;
    this.#failed.add(id);
    if (this.#failed.size < found.length || !found.every((upstream) => this.#failed.has(upstream.id))) return;
    this.#failed.clear();
    this.#lookUpSoon();
  }

  /** Brings the next lookup forward to now, or to one second after the last one. */
  #lookUpSoon(): void {
    const { clock } = this.#runtime;
    const dueAt = Math.max(clock.now(), this.#endedAt + limits.discoveryMinMs);
    if (this.#inFlight !== undefined || dueAt >= this.#dueAt) return;
    clock.clearTimeout(this.#timer);
    if (dueAt <= clock.now()) void this.#lookUp();
    else this.#report({ nextLookup: this.#scheduleIn(dueAt - clock.now()) });
  }

  /** Schedules the next lookup with jitter, so that processes started together diverge. Returns its time since 1970. */
  #schedule(delayMs: number): number {
    return this.#scheduleIn(Math.round(delayMs * (1 + limits.discoveryJitter * this.#runtime.random())));
  }

  #scheduleIn(delayMs: number): number {
    const { clock } = this.#runtime;
    this.#dueAt = clock.now() + delayMs;
    this.#timer = clock.setTimeout(() => void this.#lookUp(), delayMs);
    return clock.wallNow() + delayMs;
  }

  #report(change: Partial<LookupState>): void {
    this.#state = { ...this.#state, ...change };
    this.#pool.discoveryStatus.record(this.#state);
  }
}

function initialState(pool: Pool, { name }: ResolvedDiscovery): LookupState {
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
