/** Bytes that an entry counts beside its name and value (RFC 7541 section 4.1). */
const entryOverhead = 32;

/** The latest fields of one direction of a connection, newest first, bounded in bytes (RFC 7541 section 2.3.2). */
export class DynamicTable {
  /** Oldest first. Entries before `#first` have been evicted. */
  #names: string[] = [];
  #values: string[] = [];
  #first = 0;
  #bytes = 0;
  #maxBytes: number;
  /** The number of entries added so far, evicted ones included. */
  #added = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get length(): number {
    return this.#names.length - this.#first;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get added(): number {
    return this.#added;
  }

  /** Returns the name at an index; 0 is the newest entry. */
  name(index: number): string | undefined {
    return index < this.length ? this.#names[this.#names.length - 1 - index] : undefined;
  }

  value(index: number): string | undefined {
    return index < this.length ? this.#values[this.#values.length - 1 - index] : undefined;
  }

  /** Adds a field and evicts the oldest ones. A field that is larger than the table empties it (RFC 7541 section 4.4). */
  add(name: string, value: string): boolean {
    const bytes = name.length + value.length + entryOverhead;
    this.#evict(this.#maxBytes - bytes);
    if (bytes > this.#maxBytes) return false;
    this.#names.push(name);
    this.#values.push(value);
    this.#bytes += bytes;
    this.#added++;
    return true;
  }

  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#evict(maxBytes);
  }

  #evict(downTo: number): void {
    while (this.#bytes > downTo && this.length > 0) {
      this.#bytes -=
        (this.#names[this.#first] as string).length + (this.#values[this.#first] as string).length + entryOverhead;
      this.#names[this.#first] = "";
      this.#values[this.#first] = "";
      this.#first++;
    }
    // An occasional copy costs less than moving all entries with each eviction.
    if (this.#first < 64 || this.#first * 2 < this.#names.length) return;
    this.#names = this.#names.slice(this.#first);
    this.#values = this.#values.slice(this.#first);
    this.#first = 0;
  }
}
