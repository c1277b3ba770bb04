/** The share of the registers that is forgotten at once when there are too many: few sorts, and few entries lost. */
const forgottenShare = 0.1;

/**
 * Registers of which each keeps the last entry in the order of the entries, whatever the order in which they are received.
 * Beyond `max` registers the oldest entries are forgotten.
 */
export class Registers<Entry> {
  readonly #entries = new Map<string, Entry>();
  readonly #compare: (a: Entry, b: Entry) => number;
  readonly #max: number;

  constructor(compare: (a: Entry, b: Entry) => number, max: number) {
    this.#compare = compare;
    this.#max = max;
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  values(): Iterable<Entry> {
    return this.#entries.values();
  }

  /** Returns whether the entry is later than the one that the register had. */
  accept(key: string, entry: Entry): boolean {
    const held = this.#entries.get(key);
    if (held !== undefined && this.#compare(entry, held) <= 0) return false;
    if (held === undefined && this.#entries.size >= this.#max) this.#forgetOldest();
    this.#entries.set(key, entry);
    return true;
  }

  forget(isForgotten: (entry: Entry) => boolean): void {
    for (const [key, entry] of this.#entries) if (isForgotten(entry)) this.#entries.delete(key);
  }

  #forgetOldest(): void {
    const oldest = [...this.#entries].sort(([, a], [, b]) => this.#compare(a, b));
    for (const [key] of oldest.slice(0, Math.ceil(this.#max * forgottenShare))) this.#entries.delete(key);
  }
}
