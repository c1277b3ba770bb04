import fc, { type Arbitrary } from "fast-check";

/** One fault on top of bytes that were well formed, at a place counted from their start, modulo their length. */
export interface Mutation {
  readonly kind: "insert" | "delete" | "duplicate" | "flip" | "replace" | "bare LF";
  readonly at: number;
  readonly bytes: string;
}

/** What readers are known to take for different things. */
const nastyBytes = [
  ...["\r", "\n", "\r\n", "\r\n\r\n", "\n\n", "\0", " ", "\t", ":", ";", ",", "\x0b", "\x7f", "\x80", "\xff"],
  ...["0", "1", "-", "+", "x", "%", "#", "0\r\n\r\n", "\r\n ", "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"],
  ...["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", "\r\nContent-Length: 5", "\r\nTransfer-Encoding: chunked"],
];

const mutation: Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom("insert", "delete", "duplicate", "flip", "replace", "bare LF"),
  at: fc.nat(4_000),
  bytes: fc.constantFrom(...nastyBytes),
});

/** Most often none, since what is well formed gets further. */
export const mutations: Arbitrary<readonly Mutation[]> = fc.oneof(
  { weight: 7, arbitrary: fc.constant([]) },
  { weight: 3, arbitrary: fc.array(mutation, { minLength: 1, maxLength: 3 }) },
);

export function mutate(text: string, faults: readonly Mutation[]): string {
  return faults.reduce(apply, text);
}

function apply(text: string, { kind, at, bytes }: Mutation): string {
  const place = at % (text.length + 1);
  const before = text.slice(0, place);
  const after = text.slice(place + 1);
  switch (kind) {
    case "insert":
      return before + bytes + text.slice(place);
    case "delete":
      return before + after;
    case "duplicate":
      return before + text.charAt(place) + text.slice(place);
    case "flip":
      return place === text.length
        ? text
        : before + String.fromCharCode(text.charCodeAt(place) ^ (1 << (at % 8))) + after;
    case "replace":
      return before + bytes + after;
    case "bare LF": {
      const lineEnd = text.indexOf("\r\n", place);
      return lineEnd === -1 ? text : text.slice(0, lineEnd) + text.slice(lineEnd + 1);
    }
  }
}
