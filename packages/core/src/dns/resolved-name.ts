import os from "node:os";
import createDebug from "debug";
import { limits } from "../config/defaults.ts";
import { bindContext, inBackground } from "../runtime/async-context.ts";
import type { Timer } from "../runtime/clock.ts";
import { InputTimeout } from "../runtime/input-timeout.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type HostAnswer, lookUpHost, type NameSources } from "./host-lookup.ts";
import type { HostAddress } from "./hosts-file.ts";
import { LookupError, LookupFailure } from "./lookup-failure.ts";
import type { LookupSlots } from "./lookup-slots.ts";

const debug = createDebug("evenkeel:dns");

/** Receives the addresses, at least one, or why there are none. */
export type NameCallback = (error: LookupError | null, addresses: readonly HostAddress[]) => void;

/** Shared by the names of one resolver. */
export interface NameContext {
  readonly runtime: Runtime;
  readonly sources: NameSources;
  readonly slots: LookupSlots;
}

/**
 * One host name and its addresses, kept up to date in the background while it is in use.
 *
 * The last good addresses stay in use while a lookup is in flight and while lookups fail; after NXDOMAIN or an empty
 * answer they stay for `limits.dnsHoldMs`. There is one lookup in flight at a time.
 */
export class ResolvedName {
  readonly hostname: string;
  readonly #context: NameContext;
  readonly #waiting: Set<NameCallback> = new Set();
  #addresses: readonly HostAddress[] = [];
  #version = 0;
  #usedAt = -Infinity;
  /** When the next lookup may begin, on the clock. */
  #dueAt = -Infinity;
  #endedAt = -Infinity;
  #timer: Timer;
  #inFlight = false;
  #failure: LookupFailure | undefined;
  #failures = 0;
  /** The time of the first of consecutive empty answers. */
  #emptySince: number | undefined;
  #turn = 0;
  #preferred: 4 | 6 | undefined;

  constructor(hostname: string, context: NameContext) {
    this.hostname = hostname;
    this.#context = context;
  }

  /** Changes whenever the set of addresses does. */
  get version(): number {
    return this.#version;
  }

  get known(): boolean {
    return this.#addresses.length > 0;
  }

  /** The address, where there is exactly one. */
  get only(): string | undefined {
    return this.#addresses.length === 1 ? this.#addresses[0]?.address : undefined;
  }

  has(address: string | undefined): boolean {
    const plain = withoutZone(address ?? "");
    return this.#addresses.some((other) => withoutZone(other.address) === plain);
  }

  /**
   * Returns the addresses in the order in which to try them: first the family that connected last or that this machine can
   * route, and within a family in rotation.
   */
  inOrder(): readonly HostAddress[] {
    const all = this.#addresses;
    if (all.length < 2) return all;
    const turn = this.#turn++;
    this.#preferred ??= likelyFamily(all);
    const first = this.#preferred;
    return [first, first === 4 ? 6 : 4].flatMap((family) => {
      const own = all.filter((address) => address.family === family);
      const start = own.length === 0 ? 0 : turn % own.length;
      return [...own.slice(start), ...own.slice(0, start)];
    });
  }

  /** Marks the name as in use, and begins a lookup in the background when one is due. Otherwise costs one comparison. */
  use(): void {
    const now = this.#context.runtime.clock.now();
    this.#usedAt = now;
    if (now >= this.#dueAt) this.refresh();
  }

  /**
   * Calls back, never during this call, with the addresses once they are known, or soon with an error if a lookup has just
   * failed. Returns a function that removes the callback.
   */
  whenKnown(callback: NameCallback): () => void {
    this.use();
    if (this.known || !this.#inFlight) {
      const failure = this.#failure ?? new LookupFailure("no records", "empty");
      process.nextTick(() => {
        if (!this.#waiting.delete(bound)) return;
        if (this.known) callback(null, this.inOrder());
        else callback(new LookupError(this.hostname, failure), []);
      });
    }
    // The callback belongs to its own request, not to the one that began the lookup.
    const bound = bindContext(callback);
    this.#waiting.add(bound);
    if (this.#inFlight) this.#context.slots.prioritize(this.#run);
    return () => void this.#waiting.delete(bound);
  }

  /** A connection has been opened. */
  connected(family: string | undefined): void {
    this.#preferred = family === "IPv6" ? 6 : 4;
  }

  /** No address could be connected to: begins a lookup at once, but not within `limits.dnsRetryMinMs` of the last one. */
  failed(): void {
    const { clock } = this.#context.runtime;
    this.#preferred = undefined;
    const dueAt = this.#endedAt + limits.dnsRetryMinMs;
    if (this.#inFlight || dueAt >= this.#dueAt) return;
    if (dueAt <= clock.now()) this.refresh();
    else this.#schedule(dueAt - clock.now());
  }

  /** Begins a lookup now, unless one is in flight. */
  refresh(): void {
    if (this.#inFlight) return;
    this.#inFlight = true;
    this.#context.runtime.clock.clearTimeout(this.#timer);
    this.#dueAt = Infinity;
    this.#context.slots.enter(this.#run, this.#waiting.size > 0);
  }

  /** Like `refresh`, but only if the name is in use. */
  renew(): void {
    if (this.#inUse) this.refresh();
  }

  /** Stops the lookups in the background until the name is used again. */
  stop(): void {
    this.#context.runtime.clock.clearTimeout(this.#timer);
    this.#usedAt = -Infinity;
    if (!this.#inFlight) this.#dueAt = -Infinity;
  }

  get #inUse(): boolean {
    return this.#context.runtime.clock.now() - this.#usedAt <= limits.dnsUnusedMs;
  }

  readonly #run = (): void => {
    inBackground(() => void this.#lookUp());
  };

  async #lookUp(): Promise<void> {
    const { runtime, sources, slots } = this.#context;
    const abort = new AbortController();
    const deadline = new InputTimeout(runtime.clock, () => abort.abort(), limits.dnsTimeoutMs);
    const late = new Promise<never>((_resolve, reject) => {
      abort.signal.addEventListener("abort", () => reject(new LookupFailure("timeout", "timeout")), { once: true });
    });
    // The result if the other family never answers.
    let early: HostAnswer | undefined;
    const lookup = lookUpHost(this.hostname, sources, {
      signal: abort.signal,
      clock: runtime.clock,
      known: this.#addresses,
      onEarly: (answer) => {
        if (abort.signal.aborted) return;
        early = answer;
        this.#take(answer);
      },
    });
    let result: HostAnswer | LookupFailure;
    try {
      result = await Promise.race([lookup, late]);
    } catch (error) {
      result = early ?? LookupFailure.from(error);
    }
    deadline.clear();
    abort.abort();
    slots.leave();
    this.#inFlight = false;
    this.#endedAt = runtime.clock.now();
    if (result instanceof LookupFailure) this.#onFailure(result);
    else this.#onAnswer(result);
  }

  #onAnswer(answer: HostAnswer): void {
    this.#failure = undefined;
    this.#failures = 0;
    this.#emptySince = undefined;
    this.#take(answer);
    const ttlMs = Math.min(Math.max(answer.ttlMs, limits.dnsMinTtlMs), limits.dnsMaxTtlMs);
    const { random } = this.#context.runtime;
    this.#schedule(Math.round(ttlMs * (1 + limits.discoveryJitter * random())));
  }

  #onFailure(failure: LookupFailure): void {
    debug("%s: %s", this.hostname, failure.message);
    const now = this.#context.runtime.clock.now();
    this.#failure = failure;
    let pauseMs = Math.min(limits.dnsRetryMinMs * 2 ** Math.min(this.#failures++, 16), limits.dnsRetryMaxMs);
    if (failure.empty && this.known) {
      this.#emptySince ??= now;
      const leftMs = this.#emptySince + limits.dnsHoldMs - now;
      if (leftMs <= 0) this.#replace([]);
      else pauseMs = Math.min(pauseMs, leftMs);
    }
    // Without addresses every connection waits for a lookup, so the next one may begin soon.
    if (this.known) this.#schedule(pauseMs);
    else this.#dueAt = now + limits.dnsRetryMinMs;
    this.#callBack(new LookupError(this.hostname, failure));
  }

  #take(answer: HostAnswer): void {
    this.#replace(answer.addresses.slice(0, limits.dnsAddresses));
    this.#callBack(null);
  }

  #replace(addresses: readonly HostAddress[]): void {
    const same = addresses.length === this.#addresses.length && addresses.every(({ address }) => this.has(address));
    this.#addresses = addresses;
    if (same) return;
    this.#version++;
    debug("%s: %s", this.hostname, addresses.map(({ address }) => address).join(", "));
  }

  #callBack(error: LookupError | null): void {
    for (const callback of this.#waiting) {
      this.#waiting.delete(callback);
      callback(error, error === null ? this.inOrder() : []);
    }
  }

  /** Schedules the next lookup in the background, unless the name is no longer in use. */
  #schedule(delayMs: number): void {
    const { clock } = this.#context.runtime;
    clock.clearTimeout(this.#timer);
    this.#dueAt = clock.now() + delayMs;
    if (!this.#inUse) return;
    this.#timer = clock.setTimeout(() => {
      if (this.#inUse) this.refresh();
    }, delayMs);
  }
}

function withoutZone(address: string): string {
  const zone = address.indexOf("%");
  return zone === -1 ? address : address.slice(0, zone);
}

/** Like getaddrinfo (RFC 6724), prefers IPv6 where this machine has a matching address. */
function likelyFamily(addresses: readonly HostAddress[]): 4 | 6 {
  if (addresses.every(({ family }) => family === 4)) return 4;
  const loopback = addresses.some(({ address }) => address === "::1");
  const own = ownAddresses();
  const fits = own.some(({ family, internal, address }) => {
    return family === "IPv6" && (loopback ? address === "::1" : !internal && !address.startsWith("fe80"));
  });
  return fits ? 6 : 4;
}

/** The system call needs a file descriptor, and fails if none is left. */
function ownAddresses(): readonly os.NetworkInterfaceInfo[] {
  try {
    return Object.values(os.networkInterfaces()).flatMap((list) => list ?? []);
  } catch {
    return [];
  }
}
