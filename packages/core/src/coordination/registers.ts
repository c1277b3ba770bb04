/** The share of the registers that is forgotten at once when there are too many: few sorts, and few entries lost. */
const forgottenShare = 0.1;

/**
 * Registers of which each keeps the last entry in the order of the entries, whatever the order in which they are received.
 * They are in groups, such as all about one upstream. Beyond `max` registers the oldest entries are forgotten.
 */
export class Registers<Entry> {
  readonly #groups = new Map<string, Map<string, Entry>>();
  readonly #compare: (a: Entry, b: Entry) => number;
  readonly #max: number;
  #size = 0;

  constructor(compare: (a: Entry, b: Entry) => number, max: number) {
    this.#compare = compare;
    this.#max = max;
  }

  *values(): Iterable<Entry> {
    for (const group of this.#groups.values()) yield* group.values();
  }

  in(group: string): Iterable<Entry> {
    return this.#groups.get(group)?.values() ?? [];
  }

  /** Returns whether the entry is later than the one that the register had. */
  accept(group: string, key: string, entry: Entry): boolean {
    const held = this.#groups.get(group)?.get(key);
    if (held !== undefined && this.#compare(entry, held) <= 0) return false;
    if (held === undefined) {
      if (this.#size >= this.#max) this.#forgetOldest();
      this.#size++;
    }
    const entries = this.#groups.get(group);
    if (entries === undefined) this.#groups.set(group, new Map([[key, entry]]));
    else entries.set(key, entry);
    return true;
  }

  forget(isForgotten: (entry: Entry) => boolean): void {
    for (const [group, entries] of this.#groups) {
      for (const [key, entry] of entries) if (isForgotten(entry) && entries.delete(key)) this.#size--;
      if (entries.size === 0) this.#groups.delete(group);
    }
  }

  #forgetOldest(): void {
    const oldest = [...this.values()].sort(this.#compare).slice(0, Math.ceil(this.#max * forgottenShare));
    const forgotten = new Set(oldest);
    this.forget((entry) => forgotten.has(entry));
  }
}
