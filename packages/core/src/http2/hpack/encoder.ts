import { DynamicTable } from "./dynamic-table.ts";
import { huffmanLength, writeHuffman } from "./huffman.ts";
import { writeInteger } from "./integer.ts";
import { staticNames, staticTableLength } from "./static-table.ts";

/** The largest table that is used, even if the peer allows a larger one. */
const maxTableBytes = 4_096;

/**
 * Fields whose values often repeat and hold no secrets. Only these are added to the table, to which later messages refer (RFC
 * 7541 section 7.1).
 */
const repeated: ReadonlySet<string> = new Set([
  ...[":authority", "accept", "accept-encoding", "accept-language", "cache-control", "content-type", "server", "te"],
  ...["user-agent", "vary", "via", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto"],
  ...["accept-ranges", "access-control-allow-credentials", "access-control-allow-origin", "alt-svc"],
  ...["content-encoding", "content-language", "date", "grpc-encoding", "grpc-status", "referrer-policy"],
  ...["strict-transport-security", "x-content-type-options", "x-frame-options", "x-powered-by"],
]);

/** Fields that no hop may add to a table (RFC 7541 section 7.1.3). */
const secret: ReadonlySet<string> = new Set(["authorization", "cookie", "proxy-authorization", "set-cookie"]);

interface Remembered {
  value: string;
  /** The number of the entry, counted over all entries added so far. */
  entry: number;
}

/** The block that is being encoded. All connections share the memory, since a block is encoded in one go. */
let output = Buffer.allocUnsafeSlow(4_096);

/** Encodes the header blocks of one connection (RFC 7541). Names are in lower case, names and values in Latin-1. */
export class HpackEncoder {
  readonly #table = new DynamicTable(maxTableBytes);
  /** The newest entry of each name that has been added to the table. */
  readonly #newest = new Map<string, Remembered>();
  /** Table sizes to send before the next field: the smallest since the last block, and the current one. */
  #smallest = maxTableBytes;
  #tableBytes = maxTableBytes;
  #resized = false;
  #position = 0;

  /** The peer has set the size of its table. */
  resize(peerBytes: number): void {
    const bytes = Math.min(peerBytes, maxTableBytes);
    if (bytes === this.#tableBytes) return;
    this.#smallest = this.#resized ? Math.min(this.#smallest, bytes) : bytes;
    this.#tableBytes = bytes;
    this.#resized = true;
    this.#table.resize(bytes);
  }

  begin(): void {
    this.#position = 0;
    if (!this.#resized) return;
    this.#reserve(12);
    if (this.#smallest < this.#tableBytes) this.#writeInteger(0x20, 5, this.#smallest);
    this.#writeInteger(0x20, 5, this.#tableBytes);
    this.#resized = false;
  }

  add(name: string, value: string): void {
    // Two strings, each not longer than its text, and the integers in front of them.
    this.#reserve(name.length + value.length + 18);
    const known = staticNames.get(name);
    const index = known?.values.get(value);
    if (index !== undefined) return this.#writeInteger(0x80, 7, index);
    if (repeated.has(name) && this.#tableBytes > 0) return this.#addRepeated(name, value, known?.index ?? 0);
    this.#writeInteger(secret.has(name) ? 0x10 : 0, 4, known?.index ?? 0);
    if (known === undefined) this.#writeString(name, false);
    this.#writeString(value, false);
  }

  /** Returns the block, whose memory is reused by the next one of any connection. */
  end(): Buffer {
    return output.subarray(0, this.#position);
  }

  #addRepeated(name: string, value: string, staticIndex: number): void {
    const newest = this.#newest.get(name);
    const place = newest === undefined ? Infinity : this.#table.added - newest.entry;
    if (newest !== undefined && newest.value === value && place < this.#table.length) {
      return this.#writeInteger(0x80, 7, staticTableLength + 1 + place);
    }
    this.#writeInteger(0x40, 6, staticIndex);
    if (staticIndex === 0) this.#writeString(name, true);
    this.#writeString(value, true);
    if (!this.#table.add(name, value)) return;
    if (newest === undefined) this.#newest.set(name, { value, entry: this.#table.added });
    else {
      newest.value = value;
      newest.entry = this.#table.added;
    }
  }

  /** Huffman coding is tried only for strings that go into the table, which are sent once for many messages. */
  #writeString(text: string, mayCompress: boolean): void {
    const coded = mayCompress ? huffmanLength(text) : text.length;
    if (coded < text.length) {
      this.#writeInteger(0x80, 7, coded);
      this.#position = writeHuffman(output, this.#position, text);
      return;
    }
    this.#writeInteger(0, 7, text.length);
    this.#position += output.write(text, this.#position, "latin1");
  }

  #writeInteger(above: number, prefixBits: number, value: number): void {
    this.#position = writeInteger(output, this.#position, above, prefixBits, value);
  }

  #reserve(bytes: number): void {
    if (this.#position + bytes <= output.length) return;
    const larger = Buffer.allocUnsafeSlow((this.#position + bytes) * 2);
    output.copy(larger, 0, 0, this.#position);
    output = larger;
  }
}
