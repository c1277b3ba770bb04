import { hasBareLineBreak, parseTrailers } from "./field-lines.ts";
import { tokenChar } from "./grammar.ts";
import { Http1Error, malformed } from "./http1-error.ts";

export interface ChunkedLimits {
  /** Bytes of chunk extensions in the whole body. */
  readonly extensionBytes: number;
  readonly trailerBytes: number;
  readonly trailerFields: number;
}

type State = "size" | "extension" | "size-end" | "data" | "data-cr" | "data-lf" | "trailers" | "done";

const CR = 0x0d;
const LF = 0x0a;
/** 13 hexadecimal digits stay below 2^53. */
const maxSizeDigits = 13;
const quotedString = '"(?:[\\t !#-[\\]-~\\x80-\\xff]|\\\\[\\t -~\\x80-\\xff])*"';
/** The grammar of RFC 9112 section 7.1.1, without the white space that it lets a recipient accept. */
const extensions = new RegExp(`^(?:;${tokenChar}+(?:=(?:${tokenChar}+|${quotedString}))?)+$`);

/**
 * Decodes a chunked body (RFC 9112 section 7.1) in pieces, at any split.
 *
 * Extensions are dropped, and bounded over the whole body. Trailers have the syntax of a head's fields. Only the grammar is
 * accepted: no white space around sizes, no bare line breaks, no sign, no prefix. Throws an `Http1Error` at the first byte
 * that violates it; the decoder is useless from then on.
 */
export class ChunkedDecoder {
  trailers: string[] = [];
  readonly #limits: ChunkedLimits;
  /** Trailers of exactly the limit may have arrived with all of their end but the last byte. */
  readonly #maxPartialTrailers: number;
  #state: State = "size";
  #size = 0;
  #digits = 0;
  #extension = "";
  #extensionBytes = 0;
  #trailerText = "";

  constructor(limits: ChunkedLimits) {
    this.#limits = limits;
    this.#maxPartialTrailers = limits.trailerBytes + 3;
  }

  get done(): boolean {
    return this.#state === "done";
  }

  /** Consumes a piece from `start`, passes data to `onData`, and returns where it stopped: the end, or behind the body. */
  execute(piece: Buffer, start: number, onData: (data: Buffer) => void): number {
    let position = start;
    while (position < piece.length && this.#state !== "done") {
      if (this.#state === "data") {
        const end = Math.min(piece.length, position + this.#size);
        this.#size -= end - position;
        if (this.#size === 0) this.#state = "data-cr";
        onData(piece.subarray(position, end));
        position = end;
      } else if (this.#state === "trailers") {
        position = this.#readTrailers(piece, position);
      } else {
        this.#readByte(piece[position++] as number);
      }
    }
    return position;
  }

  #readByte(byte: number): void {
    switch (this.#state) {
      case "size":
        return this.#readSize(byte);
      case "extension":
        return this.#readExtension(byte);
      case "size-end":
        expect(byte, LF, "a chunk size that does not end in CR LF");
        this.#state = this.#size === 0 ? "trailers" : "data";
        this.#digits = 0;
        return;
      case "data-cr":
        expect(byte, CR, "a chunk that does not end where its size says");
        this.#state = "data-lf";
        return;
      default:
        expect(byte, LF, "a chunk that does not end in CR LF");
        this.#state = "size";
    }
  }

  #readSize(byte: number): void {
    const digit = hexDigit(byte);
    if (digit !== -1) {
      if (++this.#digits > maxSizeDigits) throw malformed("a chunk size that is too large");
      this.#size = this.#size * 16 + digit;
    } else if (this.#digits === 0) {
      throw malformed("a missing or malformed chunk size");
    } else if (byte === CR) {
      this.#state = "size-end";
    } else if (byte === 0x3b) {
      this.#state = "extension";
      this.#readExtension(byte);
    } else {
      throw malformed("a malformed chunk size");
    }
  }

  #readExtension(byte: number): void {
    if (byte === CR) {
      if (!extensions.test(this.#extension)) throw malformed("a malformed chunk extension");
      this.#extension = "";
      this.#state = "size-end";
    } else if (byte === LF) {
      throw malformed("a bare LF in a chunk extension");
    } else if (++this.#extensionBytes > this.#limits.extensionBytes) {
      throw malformed("too many chunk extensions");
    } else {
      this.#extension += String.fromCharCode(byte);
    }
  }

  /** Reads up to the empty line. The text is kept until then, since a field may be split anywhere. */
  #readTrailers(piece: Buffer, start: number): number {
    const before = this.#trailerText.length;
    const maxPartial = this.#maxPartialTrailers;
    const text = this.#trailerText + piece.toString("latin1", start, start + maxPartial + 1);
    const end = text.startsWith("\r\n") ? 0 : text.indexOf("\r\n\r\n");
    const tooLarge = end === -1 ? text.length > maxPartial : end > this.#limits.trailerBytes;
    // The first fault is reported, however the text is split.
    const checked = text.slice(0, end === -1 ? maxPartial + 1 : Math.min(end, maxPartial + 1));
    if (hasBareLineBreak(checked)) throw malformed("a bare CR or LF in the trailers");
    if (tooLarge) throw new Http1Error("too-large", "the trailers are too large");
    if (end === -1) {
      this.#trailerText = text;
      return start + text.length - before;
    }
    this.trailers = parseTrailers(text.slice(0, end), this.#limits.trailerFields);
    this.#state = "done";
    return start + end + (end === 0 ? 2 : 4) - before;
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function expect(byte: number, wanted: number, reason: string): void {
  if (byte !== wanted) throw malformed(reason);
}
