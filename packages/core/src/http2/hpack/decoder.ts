import { errorCode, Http2Error } from "../protocol.ts";
import { DynamicTable } from "./dynamic-table.ts";
import { readHuffman } from "./huffman.ts";
import { integerEnd, readInteger } from "./integer.ts";
import { staticName, staticTableLength, staticValue } from "./static-table.ts";

/** The table size that a peer may use without a setting of ours (RFC 9113 section 6.5.2). */
const tableBytes = 4_096;

/** The fields of a block. */
export interface DecodedFields {
  /** Alternating names and values in Latin-1. Those beyond the limits are left out. */
  readonly fields: string[];
  /** The fields exceed the limits. */
  readonly tooLarge: boolean;
}

/** Limits of a decoded block. `bytes` counts names, values and 4 for each field, as in HTTP/1.1. */
export interface FieldLimits {
  readonly bytes: number;
  readonly fields: number;
}

/**
 * Decodes the header blocks of one connection (RFC 7541).
 *
 * A block that exceeds the limits is decoded to its end, since later blocks depend on its changes to the table, but the surplus
 * is dropped. A malformed block throws an `Http2Error` that ends the connection.
 */
export class HpackDecoder {
  readonly #limits: FieldLimits;
  readonly #table = new DynamicTable(tableBytes);
  #fields: string[] = [];
  #bytes = 0;
  #tooLarge = false;
  #block: Buffer = Buffer.alloc(0);
  #position = 0;

  constructor(limits: FieldLimits) {
    this.#limits = limits;
  }

  decode(block: Buffer): DecodedFields {
    this.#fields = [];
    this.#bytes = 0;
    this.#tooLarge = false;
    this.#block = block;
    this.#position = 0;
    let first = true;
    while (this.#position < block.length) {
      const byte = block[this.#position] as number;
      if ((byte & 0xe0) === 0x20) {
        // Allowed before the first field only (RFC 7541 section 4.2).
        if (!first) throw broken("a change of the table size behind a field");
        this.#resize();
        continue;
      }
      first = false;
      if ((byte & 0x80) !== 0) this.#readIndexed();
      else if ((byte & 0x40) !== 0) this.#readLiteral(6, true);
      else this.#readLiteral(4, false);
    }
    this.#block = Buffer.alloc(0);
    return { fields: this.#fields, tooLarge: this.#tooLarge };
  }

  #resize(): void {
    const bytes = this.#readInteger(5);
    if (bytes > tableBytes) throw broken("a table larger than was announced");
    this.#table.resize(bytes);
  }

  #readIndexed(): void {
    const index = this.#readInteger(7);
    this.#add(this.#nameAt(index), this.#valueAt(index));
  }

  #readLiteral(prefixBits: number, keep: boolean): void {
    const index = this.#readInteger(prefixBits);
    const name = index === 0 ? this.#readString() : this.#nameAt(index);
    const value = this.#readString();
    if (keep) this.#table.add(name, value);
    this.#add(name, value);
  }

  #add(name: string, value: string): void {
    this.#bytes += name.length + value.length + 4;
    if (this.#tooLarge) return;
    if (this.#bytes > this.#limits.bytes || this.#fields.length >= this.#limits.fields * 2) this.#tooLarge = true;
    else this.#fields.push(name, value);
  }

  #nameAt(index: number): string {
    if (index > 0 && index <= staticTableLength) return staticName(index);
    const name = index === 0 ? undefined : this.#table.name(index - staticTableLength - 1);
    if (name === undefined) throw broken("an index without an entry");
    return name;
  }

  #valueAt(index: number): string {
    if (index <= staticTableLength) return staticValue(index);
    return this.#table.value(index - staticTableLength - 1) as string;
  }

  #readInteger(prefixBits: number): number {
    const value = readInteger(this.#block, this.#position, this.#block.length, prefixBits);
    this.#position = integerEnd;
    return value;
  }

  #readString(): string {
    const coded = ((this.#block[this.#position] ?? 0) & 0x80) !== 0;
    const length = this.#readInteger(7);
    const start = this.#position;
    const end = start + length;
    if (end > this.#block.length) throw broken("a string longer than its block");
    this.#position = end;
    return coded ? readHuffman(this.#block, start, end) : this.#block.toString("latin1", start, end);
  }
}

function broken(reason: string): Http2Error {
  return new Http2Error(errorCode.compressionError, reason);
}
