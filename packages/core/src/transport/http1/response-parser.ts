import { limits } from "../../config/defaults.ts";
import type { HeadLimits } from "../../config/resolved.ts";
import { TransportError } from "../transport-error.ts";
import { ChunkedBody } from "./chunked-body.ts";
import { parseResponseHead, type ResponseHead } from "./response-head.ts";

/** What a parser finds, in order. */
export interface ResponseSink {
  /** 102 to 199; a 100 is swallowed, a 101 refused. */
  onInformation(status: number, headers: readonly string[]): void;
  onHead(head: ResponseHead): void;
  onData(data: Buffer): void;
  onComplete(trailers: readonly string[]): void;
}

type State = "idle" | "head" | "length" | "chunked" | "close";

const none: readonly string[] = [];
const headEnd = Buffer.from("\r\n\r\n");

/**
 * Reads the response to one request at a time, at any split of its bytes.
 *
 * Strict, bounded, and exact about the end: `execute` stops behind the response and says where, so that whoever owns the
 * connection sees what is too much. Throws a `TransportError` at the first byte that cannot be right; the parser is
 * useless from then on, and so is its connection.
 */
export class ResponseParser {
  readonly #sink: ResponseSink;
  readonly #maxBytes: number;
  readonly #maxFields: number;
  /** An informational response has announced the end of the connection (RFC 9112 section 9.6). */
  #closing = false;
  #state: State = "idle";
  #method = "";
  /** A head that has not come whole yet. */
  #partial: Buffer | undefined;
  #informational = 0;
  #left = 0;
  #chunked: ChunkedBody | undefined;

  constructor(sink: ResponseSink, { bytes, fields }: HeadLimits) {
    this.#sink = sink;
    this.#maxBytes = bytes;
    this.#maxFields = fields;
  }

  /** No response is being waited for: whatever comes is too much. */
  get idle(): boolean {
    return this.#state === "idle";
  }

  /** Waits for the response to a request that is about to be sent. */
  expect(method: string): void {
    this.#method = method;
    this.#state = "head";
    this.#informational = 0;
    this.#closing = false;
  }

  /** Consumes bytes and returns how many belong to the response; fewer than given means that the rest is too much. */
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

  /** The upstream has ended its side: the end of a body that lasts until then, and a failure of any other. */
  finish(): void {
    if (this.#state === "close") this.#complete(none);
    else if (this.#state === "head")
      throw new TransportError("reset", "the upstream closed the connection before it answered");
    else if (this.#state !== "idle")
      throw new TransportError("response_truncated", "the upstream closed the connection early");
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

  /** What can be seen to be wrong already is refused now: a peer that speaks something else may never send an empty line. */
  #keepPartial(partial: Buffer, seen: number): void {
    if (!"HTTP/1.".startsWith(partial.toString("latin1", 0, 7))) {
      throw new TransportError("invalid_response", "not an HTTP/1 response");
    }
    // A head of just the limit may have come with all of its end but the last byte.
    const mostPartial = this.#maxBytes + headEnd.length - 1;
    // From the last byte seen on, which may have been a CR that waits for its LF.
    const text = partial.toString("latin1", Math.max(0, seen - 1), mostPartial + 1);
    if (/\r[^\n]|[^\r]\n/.test(text)) throw new TransportError("invalid_response", "a bare CR or LF in the head");
    if (partial.length > mostPartial) throw new TransportError("response_headers_too_large", "the head is too large");
    this.#partial = Buffer.from(partial);
  }

  #begin(head: ResponseHead): void {
    this.#sink.onHead(this.#closing && head.keepAlive ? { ...head, keepAlive: false } : head);
    if (head.framing === "none" || head.length === 0) return this.#complete(none);
    this.#state = head.framing;
    this.#left = head.length;
    if (head.framing === "chunked") this.#chunked = new ChunkedBody();
  }

  #inform({ status, headers, keepAlive }: ResponseHead, http10: boolean): void {
    if (status === 101) throw new TransportError("invalid_response", "a 101 that nobody asked for");
    if (http10) throw new TransportError("invalid_response", "an informational response in HTTP/1.0");
    if (!keepAlive) this.#closing = true;
    if (++this.#informational > limits.informationalResponses) {
      throw new TransportError("invalid_response", "too many informational responses");
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
    const chunked = this.#chunked as ChunkedBody;
    const end = chunked.execute(bytes, start, (data) => this.#sink.onData(data));
    if (chunked.done) this.#complete(chunked.trailers);
    return end;
  }

  #complete(trailers: readonly string[]): void {
    this.#state = "idle";
    this.#chunked = undefined;
    this.#sink.onComplete(trailers);
  }
}
