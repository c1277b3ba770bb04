import type { SourceNode } from "./source-map.ts";

/** The data of a parsed file, and the offsets of its keys and values. */
export interface Document {
  readonly data: unknown;
  readonly sourceMap: SourceNode;
}

/** Thrown by a parser for malformed text. Nothing after `offset` can be trusted. */
export class DocumentSyntaxError extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}
