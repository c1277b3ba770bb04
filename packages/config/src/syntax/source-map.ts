/** The offsets of a document's keys and values in its text. */

/** One key, table, array or item. Offsets count from the start of the text without its byte order mark. */
export interface SourceNode {
  /** The offset of its key; for an item of an array, of the item itself. */
  key: number;
  /** The offset of its value; for a table with a header, of the name in the header. */
  value: number;
  readonly children: Map<string | number, SourceNode>;
}

export function createNode(key: number, value: number = key): SourceNode {
  return { key, value, children: new Map() };
}

/** Returns the child with this key. Creates it at `offset` if it is missing. */
export function childNode(parent: SourceNode, key: string | number, offset: number): SourceNode {
  const known = parent.children.get(key);
  if (known !== undefined) return known;
  const created = createNode(offset);
  parent.children.set(key, created);
  return created;
}

/** Returns the offset of a path, or of the nearest table or array around a path that the document does not have. */
export function findOffset(root: SourceNode, path: readonly (string | number)[], at: "key" | "value"): number {
  let node = root;
  for (const key of path) {
    const next = node.children.get(key);
    if (next === undefined) return node.key;
    node = next;
  }
  return node[at];
}
