/** A live, read-only view of a map: the same keys in the same order, with values mapped by `select`. */
export class MapView<K, V, W> implements ReadonlyMap<K, W> {
  readonly #source: ReadonlyMap<K, V>;
  readonly #select: (value: V) => W;

  constructor(source: ReadonlyMap<K, V>, select: (value: V) => W) {
    this.#source = source;
    this.#select = select;
  }

  get size(): number {
    return this.#source.size;
  }

  has(key: K): boolean {
    return this.#source.has(key);
  }

  get(key: K): W | undefined {
    const value = this.#source.get(key);
    return value === undefined ? undefined : this.#select(value);
  }

  forEach(callback: (value: W, key: K, map: ReadonlyMap<K, W>) => void, thisArg?: unknown): void {
    for (const [key, value] of this) callback.call(thisArg, value, key, this);
  }

  entries(): MapIterator<[K, W]> {
    return this.#copy().entries();
  }

  keys(): MapIterator<K> {
    return this.#copy().keys();
  }

  values(): MapIterator<W> {
    return this.#copy().values();
  }

  [Symbol.iterator](): MapIterator<[K, W]> {
    return this.entries();
  }

  #copy(): Map<K, W> {
    return new Map([...this.#source].map(([key, value]) => [key, this.#select(value)]));
  }
}
