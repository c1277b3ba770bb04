import { visit } from "jsonc-parser";
import { limits } from "../defaults.ts";
import { type Document, DocumentSyntaxError } from "./document.ts";
import { childNode, createNode, type SourceNode } from "./source-map.ts";

/** Parses strict JSON: no comments, no trailing commas, no key twice. Throws a `DocumentSyntaxError`. */
export function parseJson(text: string): Document {
  const sourceMap = mapSource(text);
  try {
    return { data: JSON.parse(text), sourceMap };
  } catch {
    throw new DocumentSyntaxError("not valid JSON", 0);
  }
}

/** Explanations of jsonc-parser's `ParseErrorCode`. */
const reasons: Readonly<Record<number, string>> = {
  1: "expected a value, a string in double quotes, or one of { } [ ] , :",
  2: "expected a number",
  3: "expected a key in double quotes",
  4: "expected a value",
  5: 'expected ":" after the key',
  6: 'expected "," before the next item',
  7: 'expected "}"',
  8: 'expected "]"',
  9: "expected nothing after the end of the document",
  10: "JSON has no comments",
  11: "JSON has no comments",
  12: "the string does not end",
  13: "the number does not end",
  14: "expected four hexadecimal digits after \\u",
  15: "no such escape in a string",
  16: "a string may not have control characters",
};

/** Throws at the first mistake, also where the nesting exceeds the limit. */
function mapSource(text: string): SourceNode {
  const root = createNode(0);
  /** The tables and arrays around the current offset, innermost last. `property` is the key of a table's next value. */
  const open: { readonly node: SourceNode; readonly isArray: boolean; property: SourceNode | undefined }[] = [];

  function nodeOfValue(offset: number): SourceNode {
    const parent = open.at(-1);
    if (parent === undefined) return root;
    const node = parent.isArray
      ? childNode(parent.node, parent.node.children.size, offset)
      : (parent.property ?? parent.node);
    node.value = offset;
    return node;
  }

  function enter(offset: number, isArray: boolean): void {
    const node = nodeOfValue(offset);
    open.push({ node, isArray, property: undefined });
    if (open.length > limits.depth) throw new DocumentSyntaxError(`nested deeper than ${limits.depth} levels`, offset);
  }

  visit(
    text,
    {
      onObjectBegin: (offset) => enter(offset, false),
      onArrayBegin: (offset) => enter(offset, true),
      onObjectEnd: () => void open.pop(),
      onArrayEnd: () => void open.pop(),
      onLiteralValue: (_, offset) => void nodeOfValue(offset),
      onObjectProperty: (key, offset) => {
        const parent = open.at(-1);
        if (parent === undefined) return;
        if (parent.node.children.has(key))
          throw new DocumentSyntaxError(`the key ${JSON.stringify(key)} is here twice`, offset);
        parent.property = childNode(parent.node, key, offset);
      },
      onError: (code, offset) => {
        throw new DocumentSyntaxError(`not valid JSON: ${reasons[code] ?? "it cannot be parsed"}`, offset);
      },
    },
    { disallowComments: true },
  );
  return root;
}
