import createDebug from "debug";
import { limits } from "../config/defaults.ts";
import type { ResolvedDiscovery, ResolvedUpstream } from "../config/resolved.ts";
import type { Pool } from "../pool/pool.ts";
import type { Timer } from "../runtime/clock.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { DiscoverySnapshot } from "../snapshot.ts";
import type { KnownAddresses } from "./addresses.ts";
import { type OpenDns, openNodeDns } from "./dns-client.ts";
import { type Findings, lookUp } from "./lookup.ts";
import { LookupFailure } from "./lookup-failure.ts";

const debug = createDebug("evenkeel:discovery");

/**
 * Keeps a pool's members as DNS has them.
 *
 * A look-up is followed by the next one after the refresh time, or when its records' TTL has passed if that is longer.
 * One that fails changes no members, and is repeated after a pause that grows to the refresh time. There is never more
 * than one at a time.
 */
export class Discovery {
  readonly #pool: Pool;
  readonly #options: ResolvedDiscovery;
  readonly #runtime: Runtime;
  readonly #openDns: OpenDns;
  #known: KnownAddresses = new Map();
  #found: readonly ResolvedUpstream[] | undefined;
  /** In a row. */
  #failures = 0;
  #flight: AbortController | undefined;
  #timer: Timer | undefined;
  #state: DiscoverySnapshot;

  constructor(pool: Pool, options: ResolvedDiscovery, runtime: Runtime, openDns: OpenDns = openNodeDns) {
    this.#pool = pool;
    this.#options = options;
    this.#runtime = runtime;
    this.#openDns = openDns;
    this.#state = {
      name: options.name,
      status: "awaited",
      lookups: pool.lookups.state?.lookups ?? { success: 0, failure: 0 },
      lastSuccess: null,
      lastError: null,
      nextLookup: null,
      passedOver: 0,
    };
  }

  /** Asks at once. Until the first look-up has ended, requests that find nobody wait for it. */
  start(): void {
    void this.#lookUp();
  }

  /** Ends it for good. A look-up in flight has no effect any more. */
  stop(): void {
    this.#runtime.clock.clearTimeout(this.#timer);
    const flight = this.#flight;
    this.#flight = undefined;
    flight?.abort();
  }

  /** Tells the pool again, after changes to those that are listed. */
  renew(): void {
    if (this.#found !== undefined) this.#pool.setDiscovered(this.#found);
  }

  async #lookUp(): Promise<void> {
    const { clock } = this.#runtime;
    const flight = new AbortController();
    this.#flight = flight;
    this.#report({ nextLookup: null });
    const deadline = clock.setTimeout(() => flight.abort(), limits.discoveryTimeoutMs);
    let result: Findings | LookupFailure;
    try {
      result = await lookUp(this.#options, this.#openDns(this.#options.servers, flight.signal), this.#known);
    } catch (error) {
      result = LookupFailure.from(error);
    }
    clock.clearTimeout(deadline);
    if (this.#flight !== flight) return;
    this.#flight = undefined;
    if (result instanceof LookupFailure) this.#onFailure(result);
    else this.#onFound(result);
  }

  #onFound({ upstreams, ttlMs, passedOver, known }: Findings): void {
    debug("%s: %s leads to %d upstreams", this.#pool.name, this.#options.name, upstreams.length);
    this.#known = known;
    this.#found = upstreams;
    this.#failures = 0;
    this.#pool.setDiscovered(upstreams);
    const { lookups } = this.#state;
    this.#report({
      status: "ok",
      lookups: { ...lookups, success: lookups.success + 1 },
      lastSuccess: this.#runtime.clock.wallNow(),
      nextLookup: this.#schedule(Math.max(this.#options.refreshMs, ttlMs, limits.discoveryMinMs)),
      passedOver,
    });
  }

  #onFailure({ message: reason }: LookupFailure): void {
    debug("%s: %s: %s", this.#pool.name, this.#options.name, reason);
    const { lookups } = this.#state;
    const pauseMs = Math.min(limits.discoveryMinMs * 2 ** this.#failures++, this.#options.refreshMs);
    this.#report({
      status: "failing",
      lookups: { ...lookups, failure: lookups.failure + 1 },
      lastError: Object.freeze({ reason, at: this.#runtime.clock.wallNow() }),
      nextLookup: this.#schedule(pauseMs),
    });
  }

  /** Returns when that will be. Processes that began together do not go on asking together. */
  #schedule(delayMs: number): number {
    const { clock, random } = this.#runtime;
    const spreadMs = Math.round(delayMs * (1 + limits.discoveryJitter * random()));
    this.#timer = clock.setTimeout(() => void this.#lookUp(), spreadMs);
    return clock.wallNow() + spreadMs;
  }

  #report(change: Partial<DiscoverySnapshot>): void {
    this.#state = Object.freeze({ ...this.#state, ...change });
    this.#pool.lookups.record(this.#state);
  }
}
