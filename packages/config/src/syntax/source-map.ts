/** Where in a text the keys and values of a document stand. */

/** One key, table, array or item. Offsets are of the text without a byte order mark. */
export interface Place {
  /** Where its key begins: for an item of an array the item itself. */
  key: number;
  /** Where its value begins: for a table with a header the name in the header. */
  value: number;
  readonly children: Map<string | number, Place>;
}

export function createPlace(key: number, value: number = key): Place {
  return { key, value, children: new Map() };
}

/** The place of a child, made at `offset` unless it is there already. */
export function childPlace(parent: Place, key: string | number, offset: number): Place {
  const known = parent.children.get(key);
  if (known !== undefined) return known;
  const made = createPlace(offset);
  parent.children.set(key, made);
  return made;
}

/** The offset of what stands at a path, or else of the nearest table or array around it. */
export function locate(root: Place, path: readonly (string | number)[], at: "key" | "value"): number {
  let place = root;
  for (const key of path) {
    const next = place.children.get(key);
    if (next === undefined) return place.key;
    place = next;
  }
  return place[at];
}
