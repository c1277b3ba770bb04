/** Tables laid over tables, which is how defaults work. */

type Table = Readonly<Record<string, unknown>>;

/** A plain object. An instance of a class, such as a policy, is a value. */
export function isTable(value: unknown): value is Table {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** What a key holds after laying over: what `own` says, or else what `base` says. */
type LaidOver<Base, Own> = Omit<Base, keyof Own> & {
  [Key in keyof Own]-?: Exclude<Own[Key], undefined> | (Key extends keyof Base ? Base[Key] : undefined);
};

/** The keys of both, those of `own` in front. A key that is there but undefined counts as left out. */
export function layOver<Base extends object, Own extends object>(base: Base, own: Own): LaidOver<Base, Own> {
  const said = Object.entries(own).filter(([, value]) => value !== undefined);
  return { ...base, ...Object.fromEntries(said) } as LaidOver<Base, Own>;
}

/** As `layOver`, and tables within are laid over each other too, so that one changed key keeps the others. */
export function layOverDeep<T extends object>(base: Partial<T>, own: T): T {
  const merged = Object.entries(layOver(base, own)).map(([key, value]) => {
    const below = (base as Table)[key];
    return [key, isTable(below) && isTable(value) ? layOver(below, value) : value];
  });
  return Object.fromEntries(merged) as T;
}
