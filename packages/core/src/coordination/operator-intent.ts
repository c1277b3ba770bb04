/**
 * Shares what operators set for the upstreams of one pool: calls of `setWeight`, `setState`, `add` and `remove` become intent,
 * and the intent of other participants is applied to the pool.
 *
 * Which of it applies follows from the entries and the options of the pool alone, so participants with the same configuration
 * agree: also one that joins later, and also after a reload.
 */

import { parseDuration } from "../config/duration.ts";
import type { Duration } from "../config/options.ts";
import type { MemberEvent } from "../events.ts";
import type { Pool } from "../pool/pool.ts";
import type { OperatorChange } from "../pool/pool-context.ts";
import type { PoolWatcher } from "../pool/pool-watcher.ts";
import type { Upstream } from "../pool/upstream.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Coordination, IntentChange, IntentEntry, Stamp } from "./coordination.ts";
import { compareStamps } from "./hybrid-clock.ts";

type EntryOf<F extends IntentEntry["field"]> = Extract<IntentEntry, { field: F }>;

/** The entries about one upstream. */
type Entries = { readonly [F in IntentEntry["field"]]?: EntryOf<F> };

export class OperatorIntent implements PoolWatcher {
  readonly #pool: Pool;
  readonly #coordination: Coordination;
  readonly #runtime: Runtime;
  /** The stamps of the entries that were applied to an upstream, for what must not be applied twice. */
  readonly #applied = new WeakMap<Upstream, { added?: Stamp; state?: Stamp }>();
  /** What the pool reports now comes from here. */
  #applying = false;
  #unsubscribe: (() => void) | undefined;

  constructor(pool: Pool, coordination: Coordination, runtime: Runtime) {
    this.#pool = pool;
    this.#coordination = coordination;
    this.#runtime = runtime;
  }

  start(): void {
    this.#unsubscribe = this.#coordination.subscribe({ intent: this.#onIntent });
    this.#pool.on("operated", this.#onOperated).on("member", this.#onMember);
    this.#apply();
  }

  reconfigure(): void {
    this.#apply();
  }

  stop(): void {
    this.#unsubscribe?.();
    this.#pool.off("operated", this.#onOperated).off("member", this.#onMember);
  }

  readonly #onIntent = (entries: readonly IntentEntry[]): void => {
    const ids = entries.filter(({ pool }) => pool === this.#pool.name).map(({ upstream }) => upstream);
    if (ids.length > 0) this.#apply(new Set(ids));
  };

  /** Applies the entries about some upstreams, or about all. */
  #apply(ids?: ReadonlySet<string>): void {
    const entries = this.#entries(ids);
    this.#applying = true;
    try {
      // The order of the stamps gives all participants the same order of members.
      const members = [...entries.values()].flatMap(({ member }) => member ?? []);
      for (const member of members.sort((a, b) => compareStamps(a.stamp, b.stamp))) this.#applyMember(member);
      for (const [id, one] of entries) this.#applyFields(id, one);
    } finally {
      this.#applying = false;
    }
  }

  #entries(ids: ReadonlySet<string> | undefined): ReadonlyMap<string, Entries> {
    const entries = new Map<string, Entries>();
    for (const entry of this.#coordination.intent()) {
      const { pool, upstream: id, field } = entry;
      if (pool === this.#pool.name && ids?.has(id) !== false) entries.set(id, { ...entries.get(id), [field]: entry });
    }
    return entries;
  }

  #applyMember({ upstream: id, value, stamp }: EntryOf<"member">): void {
    const { options, generation } = value;
    if (generation !== this.#coordination.generation) return;
    const present = this.#pool.get(id);
    if (present !== undefined && isSame(this.#applied.get(present)?.added, stamp)) return;
    if (present !== undefined) this.#pool.remove(id);
    if (options === null) return;
    try {
      this.#applied.set(this.#pool.add(options), { added: stamp });
    } catch {
      // The options are valid, so the pool is full. It is with the participant that has added the upstream, or will be.
    }
  }

  /** A field with an entry that does not apply is as configured: an earlier entry may have changed it. */
  #applyFields(id: string, { weight, state, member }: Entries): void {
    const upstream = this.#pool.get(id);
    if (upstream === undefined) return;
    const applies = (entry: EntryOf<"weight"> | EntryOf<"state">) =>
      entry.value.url === upstream.url && (member === undefined || compareStamps(entry.stamp, member.stamp) > 0);
    if (weight !== undefined) {
      const { configuredWeight } = upstream;
      const replaces = applies(weight) && weight.value.configured === configuredWeight;
      this.#pool.setWeight(id, replaces ? weight.value.weight : configuredWeight);
    }
    if (state === undefined) return;
    if (applies(state)) this.#applyState(upstream, state);
    else this.#pool.setState(id, "active");
  }

  /** The timeout runs from the stamp, and once. */
  #applyState(upstream: Upstream, { value, stamp }: EntryOf<"state">): void {
    const applied = this.#applied.get(upstream);
    if (upstream.state === value.state && isSame(applied?.state, stamp)) return;
    this.#applied.set(upstream, { ...applied, state: stamp });
    const timeout = value.timeout && remaining(value.timeout, this.#runtime.clock.wallNow() - stamp.time);
    this.#pool.setState(upstream.id, value.state, { timeout });
  }

  readonly #onOperated = (upstream: Upstream, change: OperatorChange): void => {
    if (this.#applying) return;
    const [entry] = this.#coordination.write([this.#toIntent(upstream, change)]);
    if (entry === undefined) return;
    const applied = this.#applied.get(upstream);
    if (entry.field === "state") this.#applied.set(upstream, { ...applied, state: entry.stamp });
    if (entry.field === "member") this.#onMembershipWritten(upstream, entry);
  };

  /** An upstream that was added has none of the fields that operators had set before, which it got when it joined. */
  #onMembershipWritten(upstream: Upstream, { value, stamp }: EntryOf<"member">): void {
    if (value.options === null) return;
    this.#applied.set(upstream, { added: stamp });
    this.#apply(new Set([upstream.id]));
  }

  #toIntent({ id, url, configuredWeight: configured }: Upstream, change: OperatorChange): IntentChange {
    const about = { pool: this.#pool.name, upstream: id };
    const { generation } = this.#coordination;
    if (change.what === "weight") {
      return { ...about, field: "weight", value: { url, weight: change.weight, configured } };
    }
    if (change.what === "state") {
      const { state, timeout } = change;
      return { ...about, field: "state", value: timeout === undefined ? { url, state } : { url, state, timeout } };
    }
    return { ...about, field: "member", value: { options: change.options, generation } };
  }

  /** A discovered upstream, or one of a reload. Its membership is not the operator's. */
  readonly #onMember = ({ upstream: id, change }: MemberEvent): void => {
    if (change !== "added" || this.#applying) return;
    const entries = this.#entries(new Set([id])).get(id);
    if (entries === undefined) return;
    this.#applying = true;
    this.#applyFields(id, entries);
    this.#applying = false;
  };
}

function isSame(a: Stamp | undefined, b: Stamp): boolean {
  return a !== undefined && compareStamps(a, b) === 0;
}

/** What is left of a duration. */
function remaining(duration: Duration, elapsedMs: number): Duration {
  const ms = parseDuration(duration) ?? 0;
  return `${Math.round(Math.min(ms, Math.max(0, ms - elapsedMs)))}ms`;
}
