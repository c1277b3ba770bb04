import type { ErrorCode } from "../../errors.ts";
import { SendWindow } from "../../http2/flow-window.ts";
import { errorCode } from "../../http2/protocol.ts";
import type { ClientExchange, ClientHandler } from "../client-exchange.ts";
import { HandlerCalls } from "../handler-calls.ts";
import type { RawStream } from "../raw-stream.ts";
import type { InputStream } from "./connection-input.ts";
import type { SentListener } from "./connection-output.ts";
import { IncomingBody, type IncomingBodyOwner } from "./incoming-body.ts";
import { OutgoingBody, type OutgoingBodyOwner } from "./outgoing-body.ts";
import { responseFields, trailerFields } from "./response-fields.ts";
import type { StreamHost } from "./stream-host.ts";

/** A request as its stream begins. */
export interface StreamHead {
  readonly method: string;
  readonly target: string;
  readonly rawHeaders: readonly string[];
  /** What Content-Length announces; -1 without one. */
  readonly length: number;
  /** The request has ended with its head. */
  readonly endStream: boolean;
  /** The window that the client gives to a stream. */
  readonly sendWindowBytes: number;
  /** What follows is a body. */
  readonly bodyFollows: boolean;
}

/** One stream of a client: a request and its response (RFC 9113 sections 5.1 and 8.1). */
export class Http2ServerExchange
  implements ClientExchange, InputStream, IncomingBodyOwner, OutgoingBodyOwner, SentListener
{
  readonly id: number;
  readonly method: string;
  readonly target: string;
  readonly httpVersion = "2.0";
  readonly rawHeaders: readonly string[];
  readonly bodyFollows: boolean;
  readonly changedHeaders = undefined;
  readonly connection = undefined;
  readonly bodyTaken = false;
  fault: ErrorCode | undefined;
  continueSent = false;
  status = 0;
  readonly sendWindow: SendWindow;
  /** Each direction ends by itself. */
  protected isTunnel = false;
  readonly #host: StreamHost;
  readonly #calls = new HandlerCalls();
  readonly #in: IncomingBody;
  readonly #out: OutgoingBody;
  /** The code that the stream is reset with in place of a response, since the request is malformed. */
  #malformed: number | undefined;
  /** The fields of the head, until they are sent. */
  #head: readonly string[] | undefined;
  #bodiless = false;
  /** The last frame of the response is in the batch. */
  #over = false;
  /** The stream is closed: nothing is sent on it any more. */
  #gone = false;
  #onComplete: ((open: boolean) => void) | undefined;

  constructor(host: StreamHost, id: number, head: StreamHead) {
    this.#host = host;
    this.id = id;
    this.method = head.method;
    this.target = head.target;
    this.rawHeaders = head.rawHeaders;
    this.bodyFollows = head.bodyFollows;
    this.sendWindow = new SendWindow(head.sendWindowBytes, id);
    this.#in = new IncomingBody(this, this.#calls, host.extraWindows, head);
    this.#out = new OutgoingBody(this, host, this.sendWindow, id);
  }

  get remoteAddress(): string | undefined {
    return this.#host.remoteAddress;
  }

  get encrypted(): boolean {
    return this.#host.encrypted;
  }

  get bodyComplete(): boolean {
    return this.#in.ended && this.#malformed === undefined;
  }

  get bodyBytes(): number {
    return this.#in.read;
  }

  // Called by the handler.

  start(handler: ClientHandler): void {
    this.#calls.start(handler);
  }

  sendContinue(): void {
    this.continueSent = true;
    this.#inform(100, []);
  }

  readBody(): void {
    this.#in.resume();
  }

  pauseBody(): void {
    this.#in.pause();
  }

  discardBody(): void {
    this.#in.discard();
  }

  inform(status: number, headers: readonly string[]): void {
    this.#inform(status, responseFields(headers));
  }

  begin(status: number, _reason: string, headers: string[], _last: boolean): boolean {
    this.status = status;
    this.#bodiless = this.method === "HEAD" || status === 204 || status === 304;
    this.#head = responseFields(headers);
    return true;
  }

  write(data: Buffer | string): boolean {
    if (this.#over || this.#bodiless || this.#malformed !== undefined) return true;
    this.flush();
    return this.#out.write(typeof data === "string" ? Buffer.from(data, "latin1") : data);
  }

  flush(): void {
    if (!this.#over && this.#malformed === undefined) this.#sendHead(false);
  }

  end(body: Uint8Array | string | undefined, trailers: readonly [name: string, value: string][]): void {
    if (this.#over) return;
    if (this.#malformed !== undefined) {
      // The reset is the response to a malformed request.
      this.#reset(this.#malformed);
      return this.#calls.closeSoon(true);
    }
    const last = this.#bodiless ? undefined : body;
    const fields = trailerFields(this.#bodiless ? [] : trailers);
    const isEmpty = (last === undefined || last.length === 0) && fields.length === 0;
    if (this.#head !== undefined && isEmpty) {
      this.#sendHead(true);
      return this.onBodyEnded();
    }
    this.#sendHead(false);
    this.#out.end(last, fields);
  }

  cutOff(): void {
    if (this.#gone) return;
    this.#reset(this.#malformed ?? (this.isTunnel ? errorCode.cancel : errorCode.internalError));
    this.#calls.closeSoon(false);
  }

  takeOver(_headers: readonly string[]): RawStream | undefined {
    return undefined;
  }

  protected endEmptyBody(): void {
    process.nextTick(() => this.#calls.onBodyEnd());
  }

  /** Makes a tunnel of the stream: another handler is called from now on. Returns what was received of the body. */
  protected becomeTunnel(handler: ClientHandler): Buffer {
    this.isTunnel = true;
    this.#calls.replace(handler);
    return this.#in.takeAll();
  }

  // Called by the connection, in the order in which it receives frames.

  /** END_STREAM was received: no DATA and no HEADERS may follow. */
  get requestEnded(): boolean {
    return this.#in.ended;
  }

  onDataFrame(length: number): void {
    this.#in.reserve(length);
  }

  onData(bytes: Buffer): void {
    if (this.#gone || this.#malformed !== undefined) return;
    if (!this.#in.add(bytes)) this.onMalformed("bad_request", errorCode.protocolError);
  }

  onDataFrameEnd(overhead: number, endStream: boolean): void {
    if (endStream) this.onRequestEnd();
    if (overhead > 0) this.#in.credit(overhead);
  }

  onRequestEnd(): void {
    this.#in.ended = true;
    if (!this.#in.isWhole) this.onMalformed("bad_request", errorCode.protocolError);
    this.#complete(true);
  }

  /** Calls back once: when the request has ended, turns out to be malformed, or is gone, which is `false`. */
  whenComplete(callback: (open: boolean) => void): void {
    this.#onComplete = callback;
  }

  onInputRead(): void {
    this.#in.deliver();
    if (this.#over && this.#in.ended && !this.#gone) this.#end();
  }

  /** The request is malformed. In place of a response the stream is reset with `reset`. */
  onMalformed(code: ErrorCode, reset: number): void {
    if (this.#malformed !== undefined || this.#gone) return;
    this.#malformed = reset;
    this.#in.discard();
    if (this.#calls.started) return this.#calls.onFault(code);
    this.fault = code;
    this.#complete(true);
  }

  /** The stream was reset, or its connection is lost. */
  onAborted(): void {
    if (this.#gone) return;
    this.#abandon();
    this.#calls.close(false);
  }

  onSent(): void {
    this.#calls.close(true);
  }

  onUnsent(): void {
    this.#calls.close(false);
  }

  // Called by the bodies.

  onWindowIncrement(increment: number): void {
    if (!this.#gone) this.#host.output.windowUpdate(this.id, increment);
  }

  onBodyWritable(): void {
    this.#calls.onWritable();
  }

  onBodyEnded(): void {
    this.#over = true;
    if (!this.isTunnel || this.#in.ended) this.#end();
  }

  onSendTimeout(): void {
    this.#reset(errorCode.cancel);
    this.#calls.close(false);
  }

  /** The stream is closed in both directions, or the rest of the request is not wanted: its reset follows END_STREAM. */
  #end(): void {
    const isReset = !this.#in.ended;
    const { output } = this.#host;
    this.#gone = true;
    this.#in.discard();
    if (isReset) output.reset(this.id, errorCode.noError);
    // First: the connection may close with its last stream.
    output.whenSent(this);
    this.#host.onStreamClosed(this.id, isReset);
  }

  #inform(status: number, fields: readonly string[]): void {
    if (this.#over || this.status !== 0 || this.#malformed !== undefined) return;
    this.#host.output.headers(this.id, status, fields, false);
  }

  #sendHead(endStream: boolean): void {
    const head = this.#head;
    if (head === undefined) return;
    this.#head = undefined;
    this.#host.output.headers(this.id, this.status, head, endStream);
  }

  #reset(code: number): void {
    this.#abandon();
    this.#host.output.reset(this.id, code);
    this.#host.onStreamClosed(this.id, true);
  }

  #complete(open: boolean): void {
    const onComplete = this.#onComplete;
    this.#onComplete = undefined;
    onComplete?.(open);
  }

  #abandon(): void {
    this.#complete(false);
    this.#over = true;
    this.#gone = true;
    this.#out.abandon();
    this.#in.discard();
  }
}
