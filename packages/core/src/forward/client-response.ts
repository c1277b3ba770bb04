import type { ClientExchange } from "../client/client-exchange.ts";
import { SendTimeout } from "../client/send-timeout.ts";
import { limits } from "../config/defaults.ts";
import { type ErrorCode, errorKind, ProxyError } from "../errors.ts";
import { reasonPhrase } from "../http1/reason-phrase.ts";
import type { ForwardContext } from "./context.ts";
import { type ErrorResponse, errorResponse } from "./error-response.ts";
import { clientHeaders, connectionNames } from "./headers/client-headers.ts";
import { hookResponseHeaders } from "./headers/hook-response-headers.ts";
import { clientTrailers } from "./headers/trailers.ts";
import { type HookResponse, runErrorHook } from "./hooks.ts";
import type { OnError, RequestRecord } from "./request-record.ts";

/** Receives the timeout of a client that does not read the response. */
export interface SendTimeoutHandler {
  onSendTimeout(): void;
}

interface Head {
  readonly status: number;
  readonly reason: string;
  readonly headers: string[];
  readonly last: boolean;
}

/** The response to one request: the upstream's or a locally generated one, and never an incomplete one that looks complete. */
export class ClientResponse {
  /** The head has been written: a failure can only cut the response off. */
  committed = false;
  readonly #client: ClientExchange;
  readonly #record: RequestRecord;
  readonly #context: ForwardContext;
  /** An upstream's head that has not been written yet. */
  #head: Head | undefined;
  /** The first chunk of the body as Latin-1, held until the next one or the end: the whole body leaves with the head. */
  #firstChunk: string | undefined;
  #sendTimeout: SendTimeout | undefined;

  constructor(client: ClientExchange, record: RequestRecord, context: ForwardContext) {
    this.#client = client;
    this.#record = record;
    this.#context = context;
  }

  /** Sends a 102 or 103 of the upstream. */
  inform(status: number, raw: readonly string[]): void {
    if (!this.committed) this.#client.inform(status, clientHeaders(raw, undefined, status));
  }

  /**
   * Takes an upstream's head. It is written with the body's second chunk, a flush or the end; until then another response can
   * replace it. `last`: the request was not received to its end, so what follows on the connection cannot be trusted.
   */
  begin(status: number, reason: string, headers: string[], last: boolean): void {
    this.#head = { status, reason, headers, last };
    this.#firstChunk = undefined;
    this.#record.error = undefined;
    this.#record.status = status;
  }

  /** False asks to wait for `onWritable` of the client's handler. The chunk is only read during the call. */
  write(chunk: Buffer, handler: SendTimeoutHandler): boolean {
    if (!this.committed && this.#firstChunk === undefined && chunk.length <= limits.joinedBodyBytes) {
      this.#firstChunk = chunk.toString("latin1");
      return true;
    }
    this.#writeHeld();
    this.#record.bytesOut += chunk.length;
    if (this.#client.write(chunk)) return true;
    this.#sendTimeout ??= this.#createSendTimeout(handler);
    this.#sendTimeout.wait();
    return false;
  }

  /** The client has taken the data that it was sent. */
  onWritable(): void {
    this.#sendTimeout?.move();
  }

  /** Sends what was received of the response so far. */
  flush(): void {
    this.#writeHeld();
    if (this.committed) this.#client.flush();
  }

  /** Trailers are sent to a client that accepts them (RFC 9110 section 6.5.1). */
  end(trailers: readonly string[], upstreamHead: readonly string[] = []): void {
    this.#commit();
    const passed =
      trailers.length > 0 && this.#record.head?.wantsTrailers === true
        ? clientTrailers(trailers, connectionNames(upstreamHead))
        : noTrailers;
    const body = this.#takeFirstChunk();
    this.#record.bytesOut += body?.length ?? 0;
    this.#client.end(body, passed);
  }

  /** The exchange has closed. */
  release(): void {
    this.#sendTimeout?.release();
  }

  /** Responds to `OPTIONS *`, which is about this proxy and no upstream (RFC 9110 section 9.3.7). */
  respondToOptions(): void {
    this.#record.status = 204;
    const allowed = "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS";
    this.#sendWhole(204, ["Allow", allowed, "Via", "1.1 evenkeel"], undefined, false);
  }

  /** Sends a hook's response. Headers that frame it or belong to the connection are the proxy's. */
  sendHookResponse(given: HookResponse, mayKeepOpen: boolean): void {
    if (this.#client.status !== 0) return this.#leaveToApp();
    const bodySettled = this.#mayKeepOpen(mayKeepOpen);
    const body = Buffer.from(given.body ?? "");
    const close = !bodySettled || this.#context.draining;
    const headers = [
      ...hookResponseHeaders(given, this.#record.requestId),
      ...(given.status === 204 || given.status === 304 ? [] : ["Content-Length", String(body.length)]),
      ...(this.#record.setCookie === undefined ? [] : ["Set-Cookie", this.#record.setCookie]),
      ...(close ? ["Connection", "close"] : []),
    ];
    this.#record.status = given.status;
    if (this.#sendWhole(given.status, headers, body, !bodySettled)) this.#countBody(body.length);
  }

  /** Sends an error response, or what `onError` gives in its place. `detail` is for the client to read. */
  fail(code: ErrorCode, bodySettled: boolean, detail?: string): void {
    const { hooks } = this.#context;
    const { requestId, onError, appRequest: req, cause } = this.#record;
    this.#record.error = code;
    if (this.#client.status !== 0) return this.#leaveToApp();
    if (onError !== undefined) return this.#handOver(onError, code, bodySettled, detail);
    const { status } = errorKind(code);
    const instead = hooks.onError && runErrorHook(hooks, { req, requestId, code, status, cause }, this.#record);
    if (instead === undefined) this.#sendError(code, bodySettled, detail);
    else this.sendHookResponse(instead, bodySettled && errorKind(code).source !== "client");
  }

  /** Ends a response that broke off. */
  cutOff(): void {
    this.#record.flags.add("truncated");
    this.#client.cutOff();
  }

  /** Leaves the response to the app. The state of the request's body still decides whether the connection closes. */
  #handOver(onError: OnError, code: ErrorCode, mayKeepOpen: boolean, detail?: string): void {
    this.#head = undefined;
    this.#firstChunk = undefined;
    this.committed = true;
    const { source, status } = errorKind(code);
    this.#record.status = status;
    this.#record.answeredByApp(this.#client);
    const last = !this.#mayKeepOpen(mayKeepOpen);
    const { cause, setCookie } = this.#record;
    const error = new ProxyError(code, detail ?? `${reasonPhrase(status)} (${code})`, { cause });
    try {
      onError(error, { close: last || this.#context.draining || source === "client", last, setCookie });
    } catch (thrown) {
      this.#record.threw("passErrors", thrown);
      if (this.#client.status !== 0) this.cutOff();
      else this.#sendError(code, !last, detail);
    }
  }

  /** An app in front of the proxy has sent a response meanwhile, and ends it. */
  #leaveToApp(): void {
    this.committed = true;
    this.#record.status = this.#client.status;
    this.#record.answeredByApp(this.#client);
  }

  #sendError(code: ErrorCode, mayKeepOpen: boolean, detail?: string): void {
    const { head, requestId, setCookie } = this.#record;
    const last = !this.#mayKeepOpen(mayKeepOpen);
    const { draining } = this.#context;
    const response: ErrorResponse = errorResponse({
      code,
      detail,
      requestId,
      accept: head?.accept,
      grpc: this.#record.isGrpc,
      setCookie,
      close: last || draining,
    });
    this.#record.error = code;
    this.#record.status = response.status;
    if (this.#sendWhole(response.status, response.headers, response.body, last))
      this.#countBody(response.body?.length ?? 0);
  }

  /** A client that never received the 100 it expects may send its body or not: the next bytes have no certain meaning. */
  #mayKeepOpen(mayKeepOpen: boolean): boolean {
    return mayKeepOpen && !(this.#record.head?.expectsContinue === true && !this.#client.continueSent);
  }

  #countBody(length: number): void {
    this.#record.bytesOut = this.#client.method === "HEAD" ? 0 : length;
  }

  /** False when an app's own code has failed with the head: the response is cut off. */
  #sendWhole(status: number, headers: string[], body: Uint8Array | undefined, last: boolean): boolean {
    if (!this.#writeHead(status, reasonPhrase(status), headers, last)) return false;
    this.#client.end(body, noTrailers);
    return true;
  }

  #commit(): void {
    const head = this.#head;
    if (!this.committed && head !== undefined) this.#writeHead(head.status, head.reason, head.headers, head.last);
  }

  /** False when an app in front has responded, or its code has failed with the head: the response is cut off. */
  #writeHead(status: number, reason: string, headers: string[], last: boolean): boolean {
    this.committed = true;
    try {
      if (this.#client.begin(status, reason, headers, last)) return true;
      this.#record.failed("internal", new Error("an app in front of the proxy has sent a response"));
    } catch (error) {
      this.#record.failed("internal", error);
    }
    this.cutOff();
    return false;
  }

  /** Writes what is held back. */
  #writeHeld(): void {
    this.#commit();
    const first = this.#takeFirstChunk();
    if (first === undefined) return;
    this.#record.bytesOut += first.length;
    this.#client.write(first);
  }

  #takeFirstChunk(): string | undefined {
    const first = this.#firstChunk;
    this.#firstChunk = undefined;
    return first;
  }

  #createSendTimeout(handler: SendTimeoutHandler): SendTimeout {
    const { runtime, routing } = this.#context;
    return new SendTimeout(runtime.clock, routing.sendTimeoutMs, () => handler.onSendTimeout());
  }
}

const noTrailers: [name: string, value: string][] = [];
