import { visit } from "jsonc-parser";
import { limits } from "../defaults.ts";
import { type Document, SyntaxMistake } from "./document.ts";
import { childPlace, createPlace, type Place } from "./source-map.ts";

/** Parses strict JSON: no comments, no trailing commas, no key twice. Throws a `SyntaxMistake`. */
export function readJson(text: string): Document {
  const places = findPlaces(text);
  try {
    return { data: JSON.parse(text), places };
  } catch {
    throw new SyntaxMistake("not valid JSON", 0);
  }
}

/** What the parser objects to, by the number of its error. */
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

/** Throws at the first mistake, and so never goes deeper than the limit either. */
function findPlaces(text: string): Place {
  const root = createPlace(0);
  /** The tables and arrays around the current offset, innermost last; what an object's next value belongs to. */
  const open: { readonly place: Place; readonly isArray: boolean; property: Place | undefined }[] = [];

  function placeOfValue(offset: number): Place {
    const around = open.at(-1);
    if (around === undefined) return root;
    const place = around.isArray
      ? childPlace(around.place, around.place.children.size, offset)
      : (around.property ?? around.place);
    place.value = offset;
    return place;
  }

  function enter(offset: number, isArray: boolean): void {
    const place = placeOfValue(offset);
    open.push({ place, isArray, property: undefined });
    if (open.length > limits.depth) throw new SyntaxMistake(`nested deeper than ${limits.depth} levels`, offset);
  }

  visit(
    text,
    {
      onObjectBegin: (offset) => enter(offset, false),
      onArrayBegin: (offset) => enter(offset, true),
      onObjectEnd: () => void open.pop(),
      onArrayEnd: () => void open.pop(),
      onLiteralValue: (_, offset) => void placeOfValue(offset),
      onObjectProperty: (key, offset) => {
        const around = open.at(-1);
        if (around === undefined) return;
        if (around.place.children.has(key))
          throw new SyntaxMistake(`the key ${JSON.stringify(key)} is here twice`, offset);
        around.property = childPlace(around.place, key, offset);
      },
      onError: (code, offset) => {
        throw new SyntaxMistake(`not valid JSON: ${reasons[code] ?? "it cannot be parsed"}`, offset);
      },
    },
    { disallowComments: true },
  );
  return root;
}
