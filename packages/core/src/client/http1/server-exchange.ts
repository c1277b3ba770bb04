import type { Duplex } from "node:stream";
import { limits } from "../../config/defaults.ts";
import type { ErrorCode } from "../../errors.ts";
import { chunkHead, lastChunk } from "../../http1/chunked-encoder.ts";
import { fieldText } from "../../http1/grammar.ts";
import { AsyncContext } from "../../runtime/async-context.ts";
import type { ClientExchange, ClientHandler } from "../client-exchange.ts";
import type { RawStream } from "../raw-stream.ts";
import { HeldOutput } from "../server/held-output.ts";
import type { ExchangeConnection } from "./exchange-connection.ts";
import { type BodyReceiver, ReceivedBody } from "./received-body.ts";
import type { RequestLine } from "./request-fault.ts";
import { composeHead, interimResponse, lastChunkWith, type ResponseFraming } from "./response-head.ts";

export type ExchangeState = "waiting" | "begun" | "ended" | "cut" | "closed";

/** One request of a connection and the response to it. */
export class ServerExchange implements ClientExchange, BodyReceiver {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string;
  readonly rawHeaders: readonly string[];
  fault: ErrorCode | undefined;
  continueSent = false;
  status = 0;
  /** The connection ends with the response. */
  last = false;
  /** Undefined for a request without a body. */
  readonly body: ReceivedBody | undefined;
  readonly #connection: ExchangeConnection;
  #state: ExchangeState = "waiting";
  #handler: ClientHandler | undefined;
  #context: AsyncContext | undefined;
  #finished = false;
  #emptyBodyRead = false;
  /** A head that has not been sent. */
  #head = "";
  #framing: ResponseFraming = "none";
  /** Bytes of the body that are still to be sent, with the framing "length". */
  #left = 0;
  /** What is sent when the responses to earlier requests have ended. */
  #held: HeldOutput | undefined;
  #awaitsDrain = false;
  #probed = false;
  #contentType = "";

  constructor(connection: ExchangeConnection, line: RequestLine, headers: readonly string[], hasBody: boolean) {
    this.#connection = connection;
    this.method = line.method;
    this.target = line.target;
    this.httpVersion = line.httpVersion;
    this.rawHeaders = headers;
    this.body = hasBody ? new ReceivedBody(this) : undefined;
  }

  get changedHeaders(): undefined {
    return undefined;
  }

  get remoteAddress(): string | undefined {
    return this.#connection.remoteAddress;
  }

  get encrypted(): boolean {
    return this.#connection.encrypted;
  }

  get connection(): Duplex {
    return this.#connection.socket;
  }

  get bodyComplete(): boolean {
    return this.body === undefined || this.body.complete;
  }

  get bodyBytes(): number {
    return this.body?.bytes ?? 0;
  }

  get bodyTaken(): boolean {
    return false;
  }

  get state(): ExchangeState {
    return this.#state;
  }

  get #isHttp10(): boolean {
    return this.httpVersion === "1.0";
  }

  // Called by the handler.

  start(handler: ClientHandler): void {
    this.#handler = handler;
    this.#context = new AsyncContext();
    if (this.#state === "closed") process.nextTick(() => this.#reportClosed());
  }

  sendContinue(): void {
    if (this.#state !== "waiting" || this.continueSent || this.#isHttp10) return;
    this.continueSent = true;
    this.#send("HTTP/1.1 100 Continue\r\n\r\n");
    this.#connection.onBodyFlow(this);
  }

  readBody(): void {
    if (this.#state === "closed") return;
    if (this.body === undefined) {
      if (!this.#emptyBodyRead) process.nextTick(() => this.onBodyEnd());
      this.#emptyBodyRead = true;
      return;
    }
    this.body.read();
    this.#connection.onBodyFlow(this);
  }

  pauseBody(): void {
    if (this.body === undefined || this.#state === "closed") return;
    this.body.pause();
    this.#connection.onBodyFlow(this);
  }

  discardBody(): void {
    if (this.body === undefined || this.#state === "closed") return;
    this.body.drop();
    this.#connection.onBodyFlow(this);
  }

  inform(status: number, headers: readonly string[]): void {
    if (this.#state !== "waiting" || this.#isHttp10 || !this.#connection.isFront(this)) return;
    this.#connection.output.add(interimResponse(status, headers));
  }

  begin(status: number, reason: string, headers: string[], last: boolean): boolean {
    if (this.#state !== "waiting") return true;
    const { dateLine } = this.#connection;
    const { method } = this;
    const phrase = fieldText.test(reason) ? reason : "";
    const head = composeHead({ status, reason: phrase, headers, method, isHttp10: this.#isHttp10, dateLine });
    this.#state = "begun";
    this.status = status;
    this.#framing = head.framing;
    this.#contentType = head.contentType;
    this.#left = head.length;
    const closes = this.#connection.onBegin(this, last || head.asksToClose, last);
    const chunked = head.framing === "chunked" ? "Transfer-Encoding: chunked\r\n" : "";
    const connection = closes ? "Connection: close\r\n" : this.#connection.keepAliveLines;
    this.#head = `${head.text}${connection}${chunked}\r\n`;
    return true;
  }

  write(data: Buffer | string): boolean {
    if (this.#state !== "begun" || data.length === 0 || this.#framing === "none") return true;
    if (!this.#fits(data.length)) return true;
    const before = this.#takeHead();
    if (this.#framing === "chunked") this.#sendData(before + chunkHead(data.length), data, "\r\n");
    else this.#sendData(before, data, "");
    this.#awaitsDrain = this.#held === undefined ? this.#connection.output.blocked : this.#held.full;
    return !this.#awaitsDrain;
  }

  flush(): void {
    if (this.#head !== "" && this.#state === "begun") this.#send(this.#takeHead());
  }

  end(body: Uint8Array | string | undefined, trailers: readonly [name: string, value: string][]): void {
    if (this.#state !== "begun") return;
    const data = body === undefined || this.#framing === "none" ? "" : body;
    if (!this.#fits(data.length)) return;
    if (this.#left > 0) return this.cutOff();
    this.#state = "ended";
    this.#awaitsDrain = false;
    const before = this.#takeHead();
    if (this.#framing !== "chunked") this.#sendData(before, data, "");
    else {
      const end = trailers.length === 0 ? lastChunk : lastChunkWith(trailers);
      if (data.length === 0) this.#send(before + end);
      else this.#sendData(before + chunkHead(data.length), data, `\r\n${end}`);
    }
    this.#connection.onEnded(this);
  }

  cutOff(): void {
    if (this.#state === "cut" || this.#state === "closed") return;
    this.#state = "cut";
    this.#connection.onCutOff(this);
  }

  takeOver(headers: readonly string[]): RawStream | undefined {
    if (this.#state !== "waiting") return undefined;
    const raw = this.#connection.takeOver(this, headers);
    if (raw !== undefined) this.#state = "closed";
    return raw;
  }

  // Called by the connection.

  /** The responses to earlier requests have ended: sends what was held back. */
  onFront(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    held.sendTo(this.#connection.output);
    if (this.#awaitsDrain && !this.#connection.output.blocked) process.nextTick(() => this.onDrain());
  }

  onDrain(): void {
    if (!this.#awaitsDrain || this.#state !== "begun") return;
    this.#awaitsDrain = false;
    this.#call((this.#handler as ClientHandler).onWritable, undefined);
  }

  /**
   * Finds out whether a client that has ended its side still reads: what is sent to one that has left resets the connection, so
   * an interim response is sent once, before the response.
   */
  probe(): void {
    if (this.#probed || this.#isHttp10 || this.#state !== "waiting") return;
    this.#probed = true;
    this.#connection.output.add("HTTP/1.1 100 Continue\r\n\r\n");
  }

  get isEventStream(): boolean {
    return /^text\/event-stream[ \t]*(?:;|$)/i.test(this.#contentType);
  }

  /** The rest of the request is malformed or too slow. */
  onFault(code: ErrorCode): void {
    if (this.#state === "closed") return;
    this.body?.drop();
    if (this.#handler === undefined) this.fault = code;
    else this.#call(this.#handler.onFault, code);
  }

  /** The response was sent, or the connection has closed before. */
  close(finished: boolean): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#finished = finished;
    this.body?.drop();
    this.#connection.onBodyFlow(this);
    if (this.#handler !== undefined) this.#reportClosed();
  }

  // Called by the body.

  onBodyData(data: Buffer): void {
    this.#call((this.#handler as ClientHandler).onBody, data);
  }

  onBodyEnd(): void {
    if (this.#state !== "closed") this.#call((this.#handler as ClientHandler).onBodyEnd, undefined);
  }

  onHeldChanged(bytes: number): void {
    this.#connection.onHeldChanged(bytes);
  }

  /** Whether the body may be so long. One that is longer than its head says is cut off: the rest would pass for a response. */
  #fits(length: number): boolean {
    if (this.#framing !== "length") return true;
    this.#left -= length;
    if (this.#left >= 0) return true;
    this.cutOff();
    return false;
  }

  #takeHead(): string {
    const head = this.#head;
    this.#head = "";
    return head;
  }

  #send(text: string): void {
    if (this.#connection.isFront(this)) this.#connection.output.add(text);
    else this.#hold().add(text);
  }

  #sendData(before: string, data: Uint8Array | string, after: string): void {
    if (this.#connection.isFront(this)) this.#connection.output.addData(before, data, after);
    else this.#hold().addData(before, data, after);
  }

  #hold(): HeldOutput {
    this.#held ??= new HeldOutput(limits.heldResponseBytes);
    return this.#held;
  }

  #reportClosed(): void {
    this.#call((this.#handler as ClientHandler).onClosed, this.#finished);
  }

  /** Calls the handler in the context of `start`: sockets emit in that of the connection or of another request. */
  #call<Argument>(method: (this: ClientHandler, argument: Argument) => void, argument: Argument): void {
    this.#context?.run(method, this.#handler as ClientHandler, argument);
  }
}
