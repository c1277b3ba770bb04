import { limits } from "../../config/defaults.ts";
import { TransportError } from "../transport-error.ts";
import { parseTrailers } from "./response-head.ts";

type State = "size" | "extension" | "size-end" | "data" | "data-cr" | "data-lf" | "trailers" | "done";

const CR = 0x0d;
const LF = 0x0a;
/** 13 hexadecimal digits stay below 2^53. */
const maxSizeDigits = 13;
/** As RFC 9112 section 7.1.1 has them, without the white space that a reader may put up with. */
const extensions =
  /^(?:;[!#$%&'*+\-.^_`|~\w]+(?:=(?:[!#$%&'*+\-.^_`|~\w]+|"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"))?)+$/;
/** Trailers of just the limit may have come with all of their end but the last byte. */
const mostPartial = limits.trailerBytes + 3;

/**
 * Takes a chunked body apart (RFC 9112 section 7.1), a piece at a time, at any split.
 *
 * Extensions are dropped, and bounded over the whole body. Trailers are fields like a head's. Nothing is accepted that
 * the grammar does not have: no white space around sizes, no bare line breaks, no sign, no prefix.
 */
export class ChunkedBody {
  trailers: string[] = [];
  #state: State = "size";
  #size = 0;
  #digits = 0;
  #extension = "";
  #extensionBytes = 0;
  #trailerText = "";

  get done(): boolean {
    return this.#state === "done";
  }

  /** Consumes a piece from `start`, hands data on, and returns where it stopped: the end, or behind the body. */
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
        expect(byte, LF, "a chunk's size does not end in CR LF");
        this.#state = this.#size === 0 ? "trailers" : "data";
        this.#digits = 0;
        return;
      case "data-cr":
        expect(byte, CR, "a chunk does not end where its size says");
        this.#state = "data-lf";
        return;
      default:
        expect(byte, LF, "a chunk does not end in CR LF");
        this.#state = "size";
    }
  }

  #readSize(byte: number): void {
    const digit = hexDigit(byte);
    if (digit !== -1) {
      if (++this.#digits > maxSizeDigits) throw invalid("a chunk's size is too large");
      this.#size = this.#size * 16 + digit;
    } else if (this.#digits === 0) {
      throw invalid("a chunk's size is missing or out of grammar");
    } else if (byte === CR) {
      this.#state = "size-end";
    } else if (byte === 0x3b) {
      this.#state = "extension";
      this.#readExtension(byte);
    } else {
      throw invalid("a chunk's size is out of grammar");
    }
  }

  #readExtension(byte: number): void {
    if (byte === CR) {
      if (!extensions.test(this.#extension)) throw invalid("a chunk extension out of grammar");
      this.#extension = "";
      this.#state = "size-end";
    } else if (byte === LF) {
      throw invalid("a bare LF in a chunk extension");
    } else if (++this.#extensionBytes > limits.chunkExtensionBytes) {
      throw invalid("too many chunk extensions");
    } else {
      this.#extension += String.fromCharCode(byte);
    }
  }

  /** Up to the empty line; the text is kept until then, since a field may be split anywhere. */
  #readTrailers(piece: Buffer, start: number): number {
    const before = this.#trailerText.length;
    const text = this.#trailerText + piece.toString("latin1", start, start + mostPartial + 1);
    const end = text.startsWith("\r\n") ? 0 : text.indexOf("\r\n\r\n");
    const tooLarge = end === -1 ? text.length > mostPartial : end > limits.trailerBytes;
    // The fault that comes first is told, in whatever pieces the text comes.
    const looked = text.slice(0, end === -1 ? mostPartial + 1 : Math.min(end, mostPartial + 1));
    if (/(?:^|[^\r])\n|\r[^\n]/.test(looked)) throw invalid("a bare CR or LF in the trailers");
    if (tooLarge) throw new TransportError("response_headers_too_large", "trailers too large");
    if (end === -1) {
      this.#trailerText = text;
      return start + text.length - before;
    }
    this.trailers = parseTrailers(text.slice(0, end));
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
  if (byte !== wanted) throw invalid(reason);
}

function invalid(reason: string): TransportError {
  return new TransportError("invalid_response", reason);
}
