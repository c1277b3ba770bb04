import type { Place } from "./source-map.ts";

/** A file that has parsed: what it says and where. */
export interface Document {
  readonly data: unknown;
  readonly places: Place;
}

/** Thrown by a reader for text that is not in its format; nothing after the place can be trusted. */
export class SyntaxMistake extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}
