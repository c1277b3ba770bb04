import { type Clock, systemClock } from "../runtime/clock.ts";
import type {
  Coordination,
  CoordinationListener,
  Evidence,
  IntentChange,
  IntentEntry,
  Observation,
} from "./coordination.ts";
import { compareStamps, HybridClock } from "./hybrid-clock.ts";
import { Registers } from "./registers.ts";
import { readUpdate, type StateUpdate, updateVersion } from "./state-update.ts";

/** Operators change few upstreams; evidence is about all upstreams of all pools, from each participant that has some. */
const maxIntent = 10_000;
const maxEvidence = 50_000;
/** Clocks that are set by NTP differ by less. */
const defaultMaxAheadMs = 60_000;

export interface SharedStateOptions {
  /** The id of this participant; see `Coordination`. */
  readonly self: string;
  /** Default: that of the system. */
  readonly clock?: Clock;
  /** Whether this participant probes an upstream. Call `setParticipants` when its results change. */
  readonly isProber: (pool: string, upstream: string) => boolean;
  /** Takes an update to all other participants, at some time, in any order. What is lost comes with the next `full()`. */
  readonly send: (update: StateUpdate) => void;
  /** Default: empty. */
  readonly generation?: string;
  /**
   * Entries that are stamped this many milliseconds ahead of the clock are refused. Infinity where all participants have the
   * same clock. Default: 60 000.
   */
  readonly maxAheadMs?: number;
}

/**
 * The shared state as one participant knows it, whatever carries the updates.
 *
 * Two participants that have received the same updates have the same state: in any order, once or several times.
 */
export class SharedState implements Coordination {
  readonly self: string;
  readonly #options: SharedStateOptions;
  readonly #clock: Clock;
  readonly #hybridClock: HybridClock;
  readonly #intent = new Registers<IntentEntry>((a, b) => compareStamps(a.stamp, b.stamp), maxIntent);
  readonly #evidence = new Registers<Evidence>((a, b) => a.sequence - b.sequence, maxEvidence);
  readonly #listeners = new Set<CoordinationListener>();
  #participants: readonly string[];
  #generation: string;
  #sequence = 0;

  constructor(options: SharedStateOptions) {
    this.self = options.self;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#hybridClock = new HybridClock(this.#clock, options.self, options.maxAheadMs ?? defaultMaxAheadMs);
    this.#participants = Object.freeze([options.self]);
    this.#generation = options.generation ?? "";
  }

  get generation(): string {
    return this.#generation;
  }

  /** Call before the reload of the proxy that applies the configuration. */
  setGeneration(generation: string): void {
    this.#generation = generation;
  }

  participants(): readonly string[] {
    return this.#participants;
  }

  /** Replaces the participants. Forgets the evidence of those that are gone. Subscribers then call `isProber` again. */
  setParticipants(ids: Iterable<string>): void {
    const before = this.#participants;
    const after = new Set([this.self, ...ids]);
    const gone = new Set(before.filter((id) => !after.has(id)));
    this.#participants = Object.freeze([...after]);
    if (gone.size > 0) this.#evidence.forget(({ by }) => gone.has(by));
    this.#notify(({ participants }) => participants?.());
  }

  isProber(pool: string, upstream: string): boolean {
    return this.#options.isProber(pool, upstream);
  }

  intent(): readonly IntentEntry[] {
    return [...this.#intent.values()];
  }

  write(changes: readonly IntentChange[]): readonly IntentEntry[] {
    const entries = changes.map((change) => Object.freeze({ ...change, stamp: this.#hybridClock.next() }));
    for (const entry of entries) this.#intent.accept(entry.pool, intentKey(entry), entry);
    if (entries.length > 0) this.#options.send({ version: updateVersion, intent: entries });
    return entries;
  }

  evidence(pool: string, upstream: string): readonly Evidence[] {
    return [...this.#evidence.in(about({ pool, upstream }))].filter(({ by }) => this.#participants.includes(by));
  }

  report(observations: readonly Observation[]): void {
    const evidence = observations.map((observation) =>
      Object.freeze({ ...observation, by: this.self, sequence: this.#nextSequence() }),
    );
    for (const one of evidence) this.#evidence.accept(about(one), evidenceKey(one), one);
    if (evidence.length > 0) this.#options.send({ version: updateVersion, evidence });
  }

  subscribe(listener: CoordinationListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Takes over an update of another participant. Returns false if it, or a part of it, was malformed or too far ahead. */
  receive(update: unknown): boolean {
    const read = readUpdate(update);
    if (read === undefined) return false;
    const accepted = read.intent.filter(({ stamp }) => this.#hybridClock.accept(stamp));
    const intent = accepted.filter((entry) => this.#intent.accept(entry.pool, intentKey(entry), entry));
    const evidence = read.evidence.filter(
      (one) => one.by !== this.self && this.#evidence.accept(about(one), evidenceKey(one), one),
    );
    if (intent.length > 0) this.#notify((listener) => listener.intent?.(intent));
    const known = evidence.filter(({ by }) => this.#participants.includes(by));
    if (known.length > 0) this.#notify((listener) => listener.evidence?.(known));
    return read.complete && accepted.length === read.intent.length;
  }

  /** Everything, for a participant that joins, and at times for all, since updates may be lost. */
  full(): StateUpdate {
    const evidence = [...this.#evidence.values()].filter(({ by }) => this.#participants.includes(by));
    return { version: updateVersion, intent: this.intent(), evidence };
  }

  #notify(call: (listener: CoordinationListener) => void): void {
    for (const listener of [...this.#listeners]) call(listener);
  }

  /** Grows also over a restart of the process, in case it has the same id. */
  #nextSequence(): number {
    this.#sequence = Math.max(this.#sequence + 1, Math.floor(this.#clock.wallNow()));
    return this.#sequence;
  }
}

// Names have no control characters.

function about({ pool, upstream }: Pick<Evidence, "pool" | "upstream">): string {
  return `${pool}\n${upstream}`;
}

function evidenceKey({ by, kind }: Evidence): string {
  return `${kind}\n${by}`;
}

function intentKey({ upstream, field }: IntentEntry): string {
  return `${field}\n${upstream}`;
}
