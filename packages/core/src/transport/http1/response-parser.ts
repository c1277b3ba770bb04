import { limits } from "../../config/defaults.ts";
import type { HeadLimits } from "../../config/resolved.ts";
import { ChunkedDecoder, type ChunkedLimits } from "../../http1/chunked-decoder.ts";
import { Http1Error, malformed } from "../../http1/http1-error.ts";
import { TransportError } from "../transport-error.ts";
import { parseResponseHead, type ResponseHead } from "./response-head.ts";

/** Receives the parts of a response, in order. */
export interface ResponseSink {
  /** 102 to 199; a 100 is dropped, a 101 refused. */
  onInformation(status: number, headers: readonly string[]): void;
  onHead(head: ResponseHead): void;
  onData(data: Buffer): void;
  onComplete(trailers: readonly string[]): void;
}

type State = "idle" | "head" | "length" | "chunked" | "close";

const none: readonly string[] = [];
const headEnd = Buffer.from("\r\n\r\n");
const chunkedLimits: ChunkedLimits = {
  extensionBytes: limits.chunkExtensionBytes,
  trailerBytes: limits.trailerBytes,
  trailerFields: limits.trailerFields,
};

/**
 * Parses the response to one request at a time, at any split of its bytes.
 *
 * Strict, bounded, and exact about the end: `execute` stops behind the response and returns where, so that the connection
 * sees surplus bytes. Throws an `Http1Error` at the first byte that violates the syntax; the parser is useless from then on,
 * and so is its connection.
 */
export class ResponseParser {
  readonly #sink: ResponseSink;
  readonly #maxBytes: number;
  readonly #maxFields: number;
  /** An informational response has announced the end of the connection (RFC 9112 section 9.6). */
  #closing = false;
  #state: State = "idle";
  #method = "";
  /** The part of a head that has been received. */
  #partial: Buffer | undefined;
  #informational = 0;
  /** Bytes of the body that are still to come. */
  #left = 0;
  #chunked: ChunkedDecoder | undefined;
  readonly #onData = (data: Buffer): void => this.#sink.onData(data);

  constructor(sink: ResponseSink, { bytes, fields }: HeadLimits) {
    this.#sink = sink;
    this.#maxBytes = bytes;
    this.#maxFields = fields;
  }

  /** No response is expected: all bytes are surplus. */
  get idle(): boolean {
    return this.#state === "idle";
  }

  /** Expects the response to a request that is about to be sent. */
  expect(method: string): void {
    this.#method = method;
    this.#state = "head";
    this.#informational = 0;
    this.#closing = false;
  }

  /** Consumes bytes and returns how many belong to the response; the rest is surplus. */
  execute(bytes: Buffer): number {
    let position = 0;
    while (position < bytes.length && this.#state !== "idle") {
      switch (this.#state) {
        case "head":
          position = this.#readHead(bytes, position);
          break;
        case "length":
          position = this.#readLength(bytes, position);
          break;
        case "chunked":
          position = this.#readChunked(bytes, position);
          break;
        default:
          this.#sink.onData(position === 0 ? bytes : bytes.subarray(position));
          position = bytes.length;
      }
    }
    return position;
  }

  /**
   * The upstream has ended its side, which completes a body without framing. Throws a `TransportError` for any other
   * unfinished response.
   */
  finish(): void {
    if (this.#state === "close") this.#complete(none);
    else if (this.#state === "head")
      throw new TransportError("reset", "the upstream closed the connection before its response");
    else if (this.#state !== "idle")
      throw new TransportError("response_truncated", "the upstream closed the connection within its response");
  }

  #readHead(bytes: Buffer, start: number): number {
    const held = this.#partial?.length ?? 0;
    const all = this.#partial === undefined ? bytes : Buffer.concat([this.#partial, bytes.subarray(start)]);
    const from = this.#partial === undefined ? start : 0;
    const end = all.indexOf(headEnd, Math.max(from, held - headEnd.length));
    if (end === -1 || end - from > this.#maxBytes) {
      this.#keepPartial(all.subarray(from), held);
      return bytes.length;
    }
    this.#partial = undefined;
    const text = all.toString("latin1", from, end);
    const head = parseResponseHead(text, this.#method, this.#maxFields);
    if (head.status < 200) this.#inform(head, text.startsWith("HTTP/1.0"));
    else this.#begin(head);
    return (held > 0 ? start - held : 0) + end + headEnd.length;
  }

  /** Faults are reported before the head is complete: a peer that speaks another protocol may never send an empty line. */
  #keepPartial(partial: Buffer, seen: number): void {
    if (!"HTTP/1.".startsWith(partial.toString("latin1", 0, 7))) {
      throw malformed("not an HTTP/1 response");
    }
    // A head of exactly the limit may have arrived with all of its end but the last byte.
    const maxPartial = this.#maxBytes + headEnd.length - 1;
    // Starts at the last byte that was checked: a CR whose LF may have arrived now, or an LF behind its CR.
    const text = partial.toString("latin1", Math.max(0, seen - 1), maxPartial + 1);
    if (/\r[^\n]|[^\r]\n/.test(text)) throw malformed("a bare CR or LF in the head");
    if (partial.length > maxPartial) throw new Http1Error("too-large", "the head is too large");
    this.#partial = Buffer.from(partial);
  }

  #begin(head: ResponseHead): void {
    this.#sink.onHead(this.#closing && head.keepAlive ? { ...head, keepAlive: false } : head);
    if (head.framing === "none" || head.length === 0) return this.#complete(none);
    this.#state = head.framing;
    this.#left = head.length;
    if (head.framing === "chunked") this.#chunked = new ChunkedDecoder(chunkedLimits);
  }

  #inform({ status, headers, keepAlive }: ResponseHead, http10: boolean): void {
    if (status === 101) throw malformed("a 101 without an upgrade");
    if (http10) throw malformed("an informational response in HTTP/1.0");
    if (!keepAlive) this.#closing = true;
    if (++this.#informational > limits.informationalResponses) {
      throw malformed("too many informational responses");
    }
    if (status !== 100) this.#sink.onInformation(status, headers);
  }

  #readLength(bytes: Buffer, start: number): number {
    const end = Math.min(bytes.length, start + this.#left);
    this.#left -= end - start;
    this.#sink.onData(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end));
    if (this.#left === 0) this.#complete(none);
    return end;
  }

  #readChunked(bytes: Buffer, start: number): number {
    const chunked = this.#chunked as ChunkedDecoder;
    const end = chunked.execute(bytes, start, this.#onData);
    if (chunked.done) this.#complete(chunked.trailers);
    return end;
  }

  #complete(trailers: readonly string[]): void {
    this.#state = "idle";
    this.#chunked = undefined;
    this.#sink.onComplete(trailers);
  }
}
