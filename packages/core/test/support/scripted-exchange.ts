import { type Duplex, duplexPair, PassThrough } from "node:stream";
import type { ChangedHeaders } from "../../src/client/changed-headers.ts";
import type { ClientExchange, ClientHandler } from "../../src/client/client-exchange.ts";
import { RawStream } from "../../src/client/raw-stream.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { AsyncContext } from "../../src/runtime/async-context.ts";
import { fieldsOf } from "../contract/client-exchange-harness.ts";
import type { ScriptedClient } from "./scripted-client.ts";
import { headersOf, type ScriptedRequest } from "./scripted-request.ts";

/** What the server holds of a body that is not read. */
export const windowBytes = 65_536;
/** What `write` takes before it asks to wait. */
const highWaterBytes = 16_384;
/** The largest chunk, and what is delivered in each direction before the event loop turns. */
const chunkBytes = 65_536;
const turnBytes = 262_144;

/** What is on its way to the client, in order. */
export type Sent =
  | { readonly kind: "interim"; readonly status: number; readonly headers: readonly string[] }
  | { readonly kind: "head"; readonly status: number; readonly reason: string; readonly headers: readonly string[] }
  | { readonly kind: "data"; bytes: Buffer }
  | { readonly kind: "end"; readonly trailers: readonly string[] };

/** The server's side of a scripted client. */
export class ScriptedExchange implements ClientExchange {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string;
  readonly rawHeaders: readonly string[];
  readonly changedHeaders: ChangedHeaders | undefined;
  readonly remoteAddress: string | undefined;
  readonly encrypted: boolean;
  readonly connection: Duplex | undefined;
  bodyComplete = false;
  bodyBytes = 0;
  bodyTaken = false;
  fault: ErrorCode | undefined;
  continueSent = false;
  status = 0;
  readonly #client: ScriptedClient;
  #handler: ClientHandler | undefined;
  #context: AsyncContext | undefined;
  #hasRead = false;
  #reading = false;
  #discarding = false;
  #faulty = false;
  #endReported = false;
  #head: Extract<Sent, { readonly kind: "head" }> | undefined;
  #sent: Sent[] = [];
  #pendingBytes = 0;
  #needsDrain = false;
  #last = false;
  #over: "complete" | "broken" | undefined;
  #closeReported = false;
  #scheduled = false;
  #turnBytesLeft = turnBytes;

  constructor(client: ScriptedClient, request: ScriptedRequest) {
    this.#client = client;
    this.method = request.method ?? "GET";
    this.target = request.target ?? "/";
    this.httpVersion = request.httpVersion ?? "1.1";
    this.rawHeaders = request.rawHeaders ?? headersOf(request);
    this.changedHeaders = request.changedHeaders;
    this.remoteAddress = "remoteAddress" in request ? request.remoteAddress : "127.0.0.1";
    this.encrypted = request.encrypted ?? false;
    this.connection = "connection" in request ? request.connection : new PassThrough();
    this.schedule();
  }

  start(handler: ClientHandler): void {
    if (this.#handler !== undefined) throw new Error("started twice");
    this.#handler = handler;
    this.#context = new AsyncContext();
    this.schedule();
  }

  sendContinue(): void {
    this.continueSent = true;
    this.#push({ kind: "interim", status: 100, headers: [] });
  }

  readBody(): void {
    this.#hasRead = true;
    this.#reading = true;
    this.schedule();
  }

  pauseBody(): void {
    this.#reading = false;
  }

  discardBody(): void {
    this.#discarding = true;
    this.#reading = true;
    this.schedule();
  }

  inform(status: number, headers: readonly string[]): void {
    if (this.httpVersion !== "1.0") this.#push({ kind: "interim", status, headers: [...headers] });
  }

  begin(status: number, reason: string, headers: string[], last: boolean): boolean {
    if (this.status !== 0) return false;
    this.status = status;
    this.#head = { kind: "head", status, reason, headers: [...headers] };
    this.#last = last;
    return true;
  }

  write(data: Buffer | string): boolean {
    this.#requireHead("write");
    this.flush();
    const bytes = typeof data === "string" ? Buffer.from(data, "latin1") : Buffer.from(data);
    if (this.#over !== undefined || !this.#hasBody) return true;
    this.#pendingBytes += bytes.length;
    this.#push({ kind: "data", bytes });
    this.#needsDrain ||= this.#pendingBytes >= highWaterBytes;
    return !this.#needsDrain;
  }

  flush(): void {
    this.#requireHead("flush");
    if (this.#head === undefined) return;
    this.#push(this.#head);
    this.#head = undefined;
  }

  end(body: Uint8Array | string | undefined, trailers: readonly [name: string, value: string][]): void {
    this.#requireHead("end");
    if (body !== undefined) this.write(typeof body === "string" ? body : Buffer.from(body));
    this.flush();
    this.#push({ kind: "end", trailers: trailers.flat() });
  }

  cutOff(): void {
    this.#break();
  }

  takeOver(headers: readonly string[]): RawStream | undefined {
    if (!this.#client.isUpgrade) return undefined;
    const [stream, peer] = duplexPair();
    const { early } = this.#client;
    let bytesRead = early.length;
    Object.defineProperty(stream, "bytesRead", { get: () => bytesRead });
    this.#handler = undefined;
    this.#over = "complete";
    const own = ["Connection", "Upgrade", "Upgrade", "websocket"];
    const head = { kind: "head", status: 101, reason: "Switching Protocols", headers: [...headers, ...own] } as const;
    this.#client.onSent(head, "");
    this.#client.onTakenOver(stream, peer, (count) => {
      bytesRead += count;
    });
    return new RawStream(stream, early);
  }

  /** Something has changed at the client or here. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    if (this.#turnBytesLeft > 0) return queueMicrotask(this.#pump);
    setImmediate(() => {
      this.#turnBytesLeft = turnBytes;
      this.#pump();
    });
  }

  /** The client has left. */
  onLeft(): void {
    this.#break();
  }

  /** An app in front of the proxy sends a response. */
  respondAsApp(status: number, headers: readonly string[], body: string): void {
    if (!this.begin(status, "", [...headers, "Content-Length", String(body.length)], false)) return;
    this.end(body, []);
  }

  readonly #pump = (): void => {
    this.#scheduled = false;
    if (this.#receive() || this.#send()) return this.schedule();
    if (this.#over === undefined || this.#closeReported || this.#handler === undefined) return;
    this.#closeReported = true;
    this.#call((handler) => handler.onClosed(this.#over === "complete"));
  };

  /** Takes the next thing that the client has sent. False if there is nothing to take now. */
  #receive(): boolean {
    const { outgoing, unread } = this.#client;
    // A parser reads ahead of the handler, as far as the window goes.
    if (unread <= windowBytes) {
      if (outgoing.malformed !== undefined) this.#report(outgoing.malformed);
      else if (outgoing.ended) this.bodyComplete = true;
    }
    if (!this.#reading || this.#over === "broken" || this.#faulty) return false;
    const chunk = this.#client.take(chunkBytes);
    if (chunk !== undefined) {
      this.#turnBytesLeft -= chunk.length;
      if (this.#hasRead) this.bodyBytes += chunk.length;
      if (!this.#discarding) this.#call((handler) => handler.onBody(chunk));
      return true;
    }
    if (!outgoing.ended || this.#endReported || this.#discarding || this.#handler === undefined) return false;
    this.#endReported = true;
    this.#call((handler) => handler.onBodyEnd());
    return true;
  }

  #report(code: ErrorCode): void {
    if (this.#faulty || this.#over !== undefined) return;
    this.#faulty = true;
    if (this.#handler === undefined) this.fault = code;
    else this.#call((handler) => handler.onFault(code));
  }

  /** Gives the client the next thing of the response. False if there is nothing, or if it does not read. */
  #send(): boolean {
    if (this.#client.paused || this.#over !== undefined) return false;
    const next = this.#sent[0];
    if (next === undefined) return this.#drained();
    if (next.kind === "data" && next.bytes.length > chunkBytes) {
      this.#take({ kind: "data", bytes: next.bytes.subarray(0, chunkBytes) });
      next.bytes = next.bytes.subarray(chunkBytes);
      return true;
    }
    this.#sent.shift();
    this.#take(next);
    return true;
  }

  #take(next: Sent): void {
    if (next.kind === "data") {
      this.#turnBytesLeft -= next.bytes.length;
      this.#pendingBytes -= next.bytes.length;
    }
    this.#client.onSent(next, this.method);
    if (next.kind !== "end") return;
    this.#over = "complete";
    if (this.#last || this.#closesConnection()) this.#client.onClosed();
  }

  #drained(): boolean {
    if (!this.#needsDrain) return false;
    this.#needsDrain = false;
    this.#call((handler) => handler.onWritable());
    return true;
  }

  #closesConnection(): boolean {
    if (this.#client.isUpgrade) return true;
    const values = fieldsOf(this.#client.received.headers, "connection").join();
    return /close/i.test(values) || (this.httpVersion === "1.0" && !/keep-alive/i.test(values));
  }

  #break(): void {
    if (this.#over !== undefined) return;
    this.#over = "broken";
    this.#sent = [];
    this.#client.onClosed();
    this.schedule();
  }

  #push(sent: Sent): void {
    if (this.#over !== undefined) return;
    this.#sent.push(sent);
    this.schedule();
  }

  get #hasBody(): boolean {
    return this.method !== "HEAD" && this.status !== 204 && this.status !== 304;
  }

  #requireHead(method: string): void {
    if (this.status === 0 && this.#over === undefined) throw new Error(`${method} before begin`);
  }

  #call(call: (handler: ClientHandler) => void): void {
    const handler = this.#handler;
    if (handler !== undefined) this.#context?.run(call, undefined, handler);
  }
}
