/** Merges tables of options: a pool's own settings override the defaults. */

type Table = Readonly<Record<string, unknown>>;

/** Whether a value is a plain object. An instance of a class, such as a policy, is not a table. */
export function isTable(value: unknown): value is Table {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** The type of the merged table: the values of `own`, and those of `base` where `own` has none. */
type Merged<Base, Own> = Omit<Base, keyof Own> & {
  [Key in keyof Own]-?: Exclude<Own[Key], undefined> | (Key extends keyof Base ? Base[Key] : undefined);
};

/** Returns the keys of both tables. The values of `own` override those of `base`, except undefined. */
export function mergeKeys<Base extends object, Own extends object>(base: Base, own: Own): Merged<Base, Own> {
  const defined = Object.entries(own).filter(([, value]) => value !== undefined);
  return { ...base, ...Object.fromEntries(defined) } as Merged<Base, Own>;
}

/** Like `mergeKeys`, but also merges the tables one level below, so that a table with one key keeps the other keys of `base`. */
export function mergeTables<T extends object>(base: Partial<T>, own: T): T {
  const merged = Object.entries(mergeKeys(base, own)).map(([key, value]) => {
    const below = (base as Table)[key];
    return [key, isTable(below) && isTable(value) ? mergeKeys(below, value) : value];
  });
  return Object.fromEntries(merged) as T;
}
