import { isIP } from "node:net";
import { Readable } from "node:stream";
import { checkServerIdentity } from "node:tls";
import { buildConnector, type Dispatcher, Pool } from "undici";
import { limits } from "../config/defaults.ts";
import type { UpstreamAddress } from "../config/resolved.ts";
import type { ErrorCode } from "../errors.ts";
import type { Timer } from "../runtime/clock.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { TransportSettings } from "./create-transport.ts";
import { connectFailureCode, errnoOf } from "./failure-codes.ts";
import { writeRequestHead } from "./request-writer.ts";
import type { Exchange, ExchangeFailure, ExchangeHandler, RequestHead, Transport } from "./transport.ts";

/** Carries requests over undici's connections. */
export class UndiciTransport implements Transport {
  readonly #pool: Pool;
  readonly #settings: TransportSettings;
  readonly #runtime: Runtime;
  readonly #tls: boolean;
  readonly #servername: string;

  constructor(address: UpstreamAddress, settings: TransportSettings, runtime: Runtime) {
    this.#settings = settings;
    this.#runtime = runtime;
    this.#tls = address.tls;
    this.#servername = settings.tls.servername ?? address.hostname;
    this.#pool = createPool(address, settings, this.#servername);
  }

  dispatch(head: RequestHead, handler: ExchangeHandler): Exchange {
    const exchange = new UndiciExchange(handler, this.#settings, this.#runtime, this.#tls, head);
    try {
      // Not to send it: to hold it to the same rules as one over our own connections.
      writeRequestHead(head);
    } catch (error) {
      exchange.refuse(error);
      return exchange;
    }
    this.#pool.dispatch(
      {
        method: head.method as Dispatcher.HttpMethod,
        path: head.path,
        headers: toUndiciHeaders(head),
        body: exchange.body ?? null,
        headersTimeout: head.headersTimeoutMs > 0 ? head.headersTimeoutMs : this.#settings.timeouts.headersMs,
        // The idle timer is ours: undici's cannot be told to leave event streams alone.
        bodyTimeout: 0,
        reset: head.freshConnection,
        // Left to itself, undici verifies the upstream under whatever name the request's Host header has.
        servername: this.#servername,
      } as Dispatcher.DispatchOptions,
      exchange,
    );
    return exchange;
  }

  close(): void {
    this.#pool.close().catch(() => {});
  }

  destroy(): void {
    this.#pool.destroy().catch(() => {});
  }
}

function createPool(
  address: UpstreamAddress,
  { connections, timeouts, tls }: TransportSettings,
  servername: string,
): Pool {
  const scheme = address.tls ? "https" : "http";
  const connect = buildConnector({
    timeout: timeouts.connectMs,
    allowH2: connections.http2 && address.tls,
    rejectUnauthorized: tls.verify,
    checkServerIdentity: (_host, certificate) => checkServerIdentity(servername, certificate),
    ...(address.socketPath !== undefined && { socketPath: address.socketPath }),
    ...(tls.ca !== undefined && { ca: tls.ca }),
    ...(tls.cert !== undefined && { cert: tls.cert }),
    ...(tls.key !== undefined && { key: tls.key }),
  });
  const host = address.hostname.includes(":") ? `[${address.hostname}]` : address.hostname;
  return new Pool(address.socketPath === undefined ? `${scheme}://${host}:${address.port}` : "http://localhost", {
    connections: connections.max === 0 ? null : connections.max,
    pipelining: 1,
    keepAliveTimeout: connections.keepAliveMs,
    keepAliveMaxTimeout: connections.keepAliveMs,
    keepAliveTimeoutThreshold: 1_000,
    maxHeaderSize: limits.responseHeadBytes,
    connect: (options, callback) =>
      connect({ ...options, servername: isIP(servername) === 0 ? servername : "" }, callback),
    allowH2: connections.http2 && address.tls,
  });
}

/** undici frames by the length it is told, or in chunks when it is told none. */
function toUndiciHeaders(head: RequestHead): string[] {
  return head.bodyLength > 0 ? [...head.headers, "content-length", String(head.bodyLength)] : [...head.headers];
}

class UndiciExchange implements Exchange, Dispatcher.DispatchHandler {
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
    this.#handler.onResponse(status, statusText, headers, bodyLength(this.#head.method, status, headers));
    if (!isEventStream(headers)) this.#watchIdle(this.#settings.timeouts.idleMs);
    setImmediate(() => {
      if (!this.#over && !this.#delivered) this.#handler.onFlush();
    });
    return true;
  }

  onData(chunk: Buffer): boolean {
    if (this.#over) return true;
    this.#delivered = true;
    this.#lastByteAt = this.#runtime.clock.now();
    this.#paused = !this.#handler.onData(chunk);
    return !this.#paused;
  }

  onComplete(rawTrailers: string[] | null): void {
    if (this.#over) return;
    this.#finish();
    this.#handler.onComplete((rawTrailers ?? []).map(String));
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
    const errno = errnoOf(error);
    if (errno === "UND_ERR_CONNECT_TIMEOUT") return "connect_timeout";
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
