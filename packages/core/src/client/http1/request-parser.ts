import { limits } from "../../config/defaults.ts";
import { ChunkedDecoder, type ChunkedLimits } from "../../http1/chunked-decoder.ts";
import { RequestFault, type RequestLine } from "./request-fault.ts";
import { checkPartialHead, completeLine, parseRequestHead, type RequestHead } from "./request-head.ts";

const headEnd = "\r\n\r\n";
/** Empty lines that are ignored in front of a request line. RFC 9112 section 2.2 asks for at least one. */
const maxEmptyLines = 2;
const chunkedLimits: ChunkedLimits = {
  extensionBytes: limits.chunkExtensionBytes,
  trailerBytes: limits.trailerBytes,
  trailerFields: limits.trailerFields,
};

/**
 * Parses the requests of a connection one after another, at any split of their bytes: a head by `readHead`, then its body, if it
 * has one, by `readBody`. Strict, bounded, and exact about ends: both return where they stopped.
 *
 * Both throw a `RequestFault` at the first violation. The parser is useless from then on, and so is its connection.
 */
export class RequestParser {
  readonly #maxBytes: number;
  /** The part of a head that has been received, in Latin-1. */
  #partial = "";
  #emptyLines = 0;
  /** Bytes of the body that are still to come; -1 in a chunked one. */
  #left = 0;
  #chunked: ChunkedDecoder | undefined;
  /** The head that `readHead` has completed. */
  head: RequestHead | undefined;

  constructor(maxHeadBytes: number) {
    this.#maxBytes = maxHeadBytes;
  }

  /** A head has begun and is not complete. */
  get withinHead(): boolean {
    return this.#partial !== "";
  }

  /** The request line of the head that has begun, if it is complete. */
  get partialLine(): RequestLine | undefined {
    return completeLine(this.#partial);
  }

  /** The body of the last head was read to its end. */
  get bodyDone(): boolean {
    return this.#left === 0;
  }

  /** Reads up to the end of a head, which is then in `head`, or to the end of the bytes. */
  readHead(bytes: Buffer, start: number): number {
    const held = this.#partial.length;
    // A head of exactly the limit has its end behind it, and empty lines in front.
    const window = this.#maxBytes + headEnd.length + 2 * maxEmptyLines - held;
    const added = bytes.toString("latin1", start, start + window);
    let text = held === 0 ? added : this.#partial + added;
    const skipped = this.#skipEmptyLines(text);
    if (skipped > 0) text = text.slice(skipped);
    const end = text.indexOf(headEnd, Math.max(0, held - headEnd.length));
    if (end === -1 || end > this.#maxBytes) {
      this.#keepPartial(text, held);
      return start + added.length;
    }
    this.#partial = "";
    this.#emptyLines = 0;
    const head = parseRequestHead(text.slice(0, end));
    this.head = head;
    this.#left = head.bodyLength;
    if (head.bodyLength === -1) this.#chunked = new ChunkedDecoder(chunkedLimits);
    return start + skipped + end + headEnd.length - held;
  }

  /** Reads up to the end of the body or of the bytes. */
  readBody(bytes: Buffer, start: number, onData: (data: Buffer) => void): number {
    if (this.#chunked !== undefined) return this.#readChunked(this.#chunked, bytes, start, onData);
    const end = Math.min(bytes.length, start + this.#left);
    this.#left -= end - start;
    onData(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end));
    return end;
  }

  #readChunked(chunked: ChunkedDecoder, bytes: Buffer, start: number, onData: (data: Buffer) => void): number {
    try {
      const end = chunked.execute(bytes, start, onData);
      if (!chunked.done) return end;
      this.#chunked = undefined;
      this.#left = 0;
      return end;
    } catch (error) {
      throw RequestFault.from(error);
    }
  }

  /** Returns the length of the empty lines in front of a request line. */
  #skipEmptyLines(text: string): number {
    let length = 0;
    while (this.#emptyLines < maxEmptyLines && text.startsWith("\r\n", length)) {
      this.#emptyLines++;
      length += 2;
    }
    return length;
  }

  /** Faults are reported before the head is complete: a client that speaks another protocol may never send an empty line. */
  #keepPartial(text: string, seen: number): void {
    // A head of exactly the limit may have arrived with all of its end but the last byte.
    const maxPartial = this.#maxBytes + headEnd.length - 1;
    const checked = text.length > maxPartial ? text.slice(0, maxPartial + 1) : text;
    if (checked !== "\r" || this.#emptyLines >= maxEmptyLines) checkPartialHead(checked, seen);
    if (text.length > maxPartial) throw tooLarge(checked);
    this.#partial = text;
  }
}

function tooLarge(text: string): RequestFault {
  const line = completeLine(text);
  if (line !== undefined) return new RequestFault("headers_too_large", "the head is too large", line);
  if (!text.includes(" ")) return new RequestFault("bad_request", "a method that is too long");
  return new RequestFault("uri_too_long", "the request line is too long");
}
