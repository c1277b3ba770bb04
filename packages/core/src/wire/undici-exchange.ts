import { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import type { ErrorCode } from "../errors.ts";
import type { Timer } from "../runtime/clock.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { TransportSettings } from "./create-transport.ts";
import { connectFailureCode, errnoOf } from "./failure-codes.ts";
import type { Exchange, ExchangeFailure, ExchangeHandler, RequestHead } from "./transport.ts";
import { WireError } from "./wire-error.ts";

/** One request and its response on undici's connections. */
export class UndiciExchange implements Exchange, Dispatcher.DispatchHandler {
  /** Undefined when the request has none. */
  readonly body: Readable | undefined;
  readonly #handler: ExchangeHandler;
  readonly #settings: TransportSettings;
  readonly #runtime: Runtime;
  readonly #tls: boolean;
  readonly #head: RequestHead;
  readonly #startedAt: number;
  #abort: (() => void) | undefined;
  #resume: (() => void) | undefined;
  #connected = false;
  #responded = false;
  #delivered = false;
  #over = false;
  #aborted = false;
  #idleTimer: Timer;
  #lastByteAt = 0;
  /** Bytes of the response's body that have come, and that are to come: -1 when it is not known. */
  #received = 0;
  #length = -1;
  #paused = false;

  constructor(
    handler: ExchangeHandler,
    settings: TransportSettings,
    runtime: Runtime,
    tls: boolean,
    head: RequestHead,
  ) {
    this.#handler = handler;
    this.#settings = settings;
    this.#runtime = runtime;
    this.#tls = tls;
    this.#head = head;
    this.#startedAt = runtime.clock.now();
    this.body = head.bodyLength === 0 ? undefined : this.#createBody();
  }

  get over(): boolean {
    return this.#over;
  }

  write(chunk: Uint8Array): boolean {
    return this.#over || (this.body?.push(chunk) ?? true);
  }

  end(): void {
    if (!this.#over) this.body?.push(null);
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#lastByteAt = this.#runtime.clock.now();
    this.#resume?.();
  }

  abort(): void {
    this.#aborted = true;
    if (this.#over) return;
    this.#finish();
    this.#abort?.();
  }

  /** Ends before it has begun. */
  refuse(error: unknown): void {
    this.#fail("internal", error);
  }

  onConnect(abort: (error?: Error) => void): void {
    this.#abort = () => abort();
    if (this.#over) return abort();
    this.#connected = true;
    this.#handler.onConnected(this, this.#runtime.clock.now() - this.#startedAt);
  }

  onHeaders(status: number, rawHeaders: Buffer[], resume: () => void, statusText: string): boolean {
    if (this.#over) return true;
    const headers = rawHeaders.map((bytes) => bytes.toString("latin1"));
    if (status < 200) {
      this.#handler.onInformation(status, headers);
      return true;
    }
    this.#resume = resume;
    this.#responded = true;
    this.#lastByteAt = this.#runtime.clock.now();
    this.#length = bodyLength(this.#head.method, status, headers);
    this.#handler.onResponse(status, statusText, headers, this.#length);
    if (!isEventStream(headers)) this.#watchIdle(this.#settings.timeouts.idleMs);
    setImmediate(() => {
      if (!this.#over && !this.#delivered) this.#handler.onFlush();
    });
    return true;
  }

  onData(chunk: Buffer): boolean {
    if (this.#over) return true;
    this.#delivered = true;
    this.#received += chunk.length;
    this.#lastByteAt = this.#runtime.clock.now();
    this.#paused = !this.#handler.onData(chunk);
    return !this.#paused;
  }

  onComplete(trailers: string[] | null): void {
    if (this.#over) return;
    // To undici a stream that was reset without an error has come to its end.
    if (this.#length >= 0 && this.#received !== this.#length) {
      return this.#fail("response_truncated", new Error("fewer bytes than announced"));
    }
    this.#finish();
    this.#handler.onComplete(toTrailers(trailers));
  }

  onUpgrade(): void {
    // A 101 that nobody asked for.
    this.#fail("invalid_response", new Error("the upstream switched protocols without being asked"));
    this.#abort?.();
  }

  onError(error: Error): void {
    this.#fail(this.#codeOf(error), error);
  }

  #createBody(): Readable {
    const body = new Readable({ read: () => this.#connected && this.#handler.onDrain() });
    body.on("error", () => {});
    return body;
  }

  #fail(code: ErrorCode, cause: unknown): void {
    if (this.#over) return;
    this.#finish();
    const failure: ExchangeFailure = { code, cause, reused: false, sent: this.#connected };
    // A handler is told later, never while it dispatches, and not at all when it has given up by then.
    queueMicrotask(() => {
      if (!this.#aborted) this.#handler.onFailure(failure);
    });
  }

  #finish(): void {
    this.#over = true;
    this.#runtime.clock.clearTimeout(this.#idleTimer);
    this.body?.destroy();
  }

  /** One timer that looks when the last byte came, instead of one started anew with each byte. */
  #watchIdle(delayMs: number): void {
    if (delayMs === 0) return;
    this.#idleTimer = this.#runtime.clock.setTimeout(() => {
      if (this.#over) return;
      const left = this.#paused
        ? this.#settings.timeouts.idleMs
        : this.#lastByteAt + this.#settings.timeouts.idleMs - this.#runtime.clock.now();
      if (left > 0) return this.#watchIdle(left);
      this.#fail("response_idle_timeout", new Error("the upstream fell silent"));
      this.#abort?.();
    }, delayMs);
  }

  #codeOf(error: Error): ErrorCode {
    if (error instanceof WireError) return error.code;
    const errno = errnoOf(error);
    if (!this.#connected) return connectFailureCode(error, this.#tls);
    if (errno === "UND_ERR_HEADERS_TIMEOUT") return "headers_timeout";
    if (errno === "UND_ERR_HEADERS_OVERFLOW") return "response_headers_too_large";
    if (errno.startsWith("HPE_") && errno !== "HPE_INVALID_EOF_STATE") {
      return this.#responded ? "response_truncated" : "invalid_response";
    }
    return this.#responded ? "response_truncated" : "reset";
  }
}

function bodyLength(method: string, status: number, headers: readonly string[]): number {
  if (method === "HEAD" || status === 204 || status === 304) return 0;
  for (let index = 0; index < headers.length; index += 2) {
    if (headers[index]?.toLowerCase() === "content-length") return Number(headers[index + 1]);
  }
  return -1;
}

function isEventStream(headers: readonly string[]): boolean {
  const index = headers.findIndex((name, place) => place % 2 === 0 && name.toLowerCase() === "content-type");
  return index !== -1 && /^text\/event-stream\b/i.test(headers[index + 1] ?? "");
}

/** Names and values by turns. Over HTTP/2, contrary to its types, undici has them as an object, as node:http2 does. */
function toTrailers(trailers: readonly unknown[] | Readonly<Record<string, unknown>> | null): string[] {
  if (trailers === null) return [];
  if (Array.isArray(trailers))
    return trailers.map((part: unknown) => (part instanceof Buffer ? part.toString("latin1") : String(part)));
  return Object.entries(trailers).flatMap(([name, value]) => [value].flat().flatMap((one) => [name, String(one)]));
}
