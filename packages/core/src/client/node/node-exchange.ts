import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { limits } from "../../config/defaults.ts";
import type { ErrorCode } from "../../errors.ts";
import { fieldValue } from "../../http1/fields.ts";
import { AsyncContext } from "../../runtime/async-context.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { ChangedHeaders, HeaderObject } from "../changed-headers.ts";
import type { ClientExchange, ClientHandler, ResponseLead } from "../client-exchange.ts";
import type { RawStream } from "../raw-stream.ts";
import { BodyBuffers } from "./body-buffers.ts";
import { changedHeadersOf, isEncrypted } from "./incoming-request.ts";
import type { NodeConnection } from "./node-connection.ts";
import { responseBatch } from "./response-batch.ts";
import { flushEvents, flushHead, interimResponse, writeHead } from "./write-head.ts";

/** A request to Node's HTTP server and the response to it. */
export class NodeExchange implements ClientExchange {
  /** As it was at the start: frameworks change `req.url` while they pass a request on. */
  readonly target: string;
  bodyBytes = 0;
  fault: ErrorCode | undefined;
  readonly req: IncomingMessage;
  protected readonly res: ServerResponse;
  readonly #connection: NodeConnection;
  readonly #clock: Clock;
  readonly #appHeaders: HeaderObject | undefined;
  #handler: ClientHandler | undefined;
  #context: AsyncContext | undefined;
  #reading = false;
  #discarding = false;
  #faulty = false;
  /** `socket.bytesRead` when the body began. */
  #bytesBefore = 0;
  #chunks = 0;
  #buffers: BodyBuffers | undefined;
  #headers: readonly string[] = [];
  #watchesDrain = false;
  #watchesClose = false;
  #closed = false;
  #cut = false;
  #sent = false;
  #released = false;
  /** For the count of pipelined requests. */
  #onResponseClosed: (() => void) | undefined;

  /** `headers` are those that the app has, where a framework keeps them elsewhere than in `req.headers`. */
  constructor(
    req: IncomingMessage,
    res: ServerResponse,
    connection: NodeConnection,
    clock: Clock,
    headers?: HeaderObject,
  ) {
    this.req = req;
    this.res = res;
    this.#connection = connection;
    this.#clock = clock;
    this.target = req.url ?? "";
    this.#appHeaders = headers;
    // A request that an app has held back may come after later ones of its connection.
    if (!req.complete) connection.incomplete = this;
  }

  get method(): string {
    return this.req.method ?? "";
  }

  get httpVersion(): string {
    return this.req.httpVersion;
  }

  get rawHeaders(): readonly string[] {
    return this.req.rawHeaders;
  }

  /** Compared when it is read: an app may change the headers of a pipelined request until its turn. */
  get changedHeaders(): ChangedHeaders | undefined {
    return changedHeadersOf(this.req, this.#appHeaders);
  }

  get remoteAddress(): string | undefined {
    return this.req.socket.remoteAddress;
  }

  get encrypted(): boolean {
    return isEncrypted(this.req);
  }

  get connection(): Socket | undefined {
    return this.req.httpVersionMajor === 1 ? this.req.socket : undefined;
  }

  get bodyComplete(): boolean {
    return this.req.complete;
  }

  get bodyTaken(): boolean {
    return this.req.readableDidRead || this.req.readableEnded;
  }

  /** Node has sent one already, unless the handler listens to the server's `checkContinue` too. Nothing public says which. */
  get continueSent(): boolean {
    return (this.res as { _sent100?: boolean })._sent100 === true;
  }

  get status(): number {
    return this.res.headersSent ? this.res.statusCode : 0;
  }

  start(handler: ClientHandler): void {
    this.#handler = handler;
    this.#context = new AsyncContext();
    // Without a listener Node throws what the socket of a client that leaves reports.
    this.req.on("error", ignore);
    this.res.on("error", ignore);
    if (this.#closed) process.nextTick(() => this.#reportClosed());
    else this.#watchClose();
  }

  /** Calls back once the response is finished or the connection has closed, before the handler is called. */
  onResponseClosed(callback: () => void): void {
    this.#onResponseClosed = callback;
    this.#watchClose();
  }

  /** The request is the app's from now on: no route matches it. */
  decline(): void {
    this.#connection.forget(this);
  }

  /** Leaves the response to the app. Its end is still reported to the handler. */
  release({ close, last, setCookie }: ResponseLead): void {
    this.#released = true;
    if (last) this.#connection.lingerOnClose(this.#clock);
    if (this.res.headersSent) return;
    if (close) this.res.setHeader("Connection", "close");
    if (setCookie !== undefined) this.res.appendHeader("Set-Cookie", setCookie);
  }

  /** Called when Node's parser fails in the rest of this request. A response that is left to the app is not disturbed. */
  onParseError(code: ErrorCode): void {
    if (this.#handler !== undefined && !this.#released) return this.#reportFault(code);
    this.#faulty = true;
    this.fault = code;
  }

  sendContinue(): void {
    this.res.writeContinue();
  }

  readBody(): void {
    if (!this.#reading) {
      this.#reading = true;
      this.#bytesBefore = this.req.socket.bytesRead;
      this.req.on("data", (chunk: Buffer) => this.#onData(chunk));
      this.req.on("end", () => this.#onEnd());
    }
    this.req.resume();
  }

  pauseBody(): void {
    this.req.pause();
  }

  discardBody(): void {
    this.#discarding = true;
    this.req.resume();
  }

  inform(status: number, headers: readonly string[]): void {
    const { socket } = this.res;
    if (this.#cut || socket === null || this.req.httpVersionMinor === 0) return;
    socket.write(interimResponse(status, headers), "latin1");
  }

  begin(status: number, reason: string, headers: string[], last: boolean): boolean {
    if (this.res.headersSent) return false;
    if (last) {
      this.res.shouldKeepAlive = false;
      this.#connection.lingerOnClose(this.#clock);
    }
    this.#headers = headers;
    writeHead(this.res, status, reason, headers);
    return true;
  }

  write(data: Buffer | string): boolean {
    this.#buffers ??= new BodyBuffers();
    if (this.#cut || this.#buffers.send(this.res, data)) return true;
    if (!this.#watchesDrain) {
      this.#watchesDrain = true;
      this.res.on("drain", () => this.#call((this.#handler as ClientHandler).onWritable, undefined));
    }
    return false;
  }

  flush(): void {
    if (this.#cut) return;
    flushHead(this.res);
    flushEvents(this.res, this.#headers);
  }

  end(body: Uint8Array | string | undefined, trailers: readonly [name: string, value: string][]): void {
    if (this.#cut) return;
    if (trailers.length > 0) this.res.addTrailers(trailers);
    if (body === undefined) this.res.end();
    // Node joins a head with a string; it sends a buffer in a write of its own.
    else if (typeof body === "string") responseBatch.end(this.res, body);
    else this.res.end(body);
  }

  /**
   * Neither a last chunk nor all announced bytes were sent. Where only the end of the connection marks the end of the body
   * (HTTP/1.0), the connection is reset, since an orderly end would pass for a complete response.
   */
  cutOff(): void {
    this.#cut = true;
    if (this.res.socket === null || this.req.httpVersionMinor > 0) this.res.destroy();
    else this.#connection.resetAfterData(this.#clock);
  }

  takeOver(_headers: readonly string[]): RawStream | undefined {
    return undefined;
  }

  #onData(chunk: Buffer): void {
    this.bodyBytes += chunk.length;
    if (this.#dropsBody) return;
    this.#chunks++;
    if (this.#isPadded()) this.#reportFault("bad_request");
    else this.#call((this.#handler as ClientHandler).onBody, chunk);
  }

  get #dropsBody(): boolean {
    return this.#discarding || this.#faulty || this.#closed;
  }

  #reportFault(code: ErrorCode): void {
    if (this.#faulty) return;
    this.#faulty = true;
    this.#call((this.#handler as ClientHandler).onFault, code);
  }

  #onEnd(): void {
    if (!this.#dropsBody) this.#call((this.#handler as ClientHandler).onBodyEnd, undefined);
  }

  /**
   * Whether far more bytes were received than data. Node's parser bounds the extensions of each chunk, but not their sum
   * (CVE-2024-22019 in its first form): a body of single bytes with kilobytes of extensions would cost more than it is worth.
   */
  #isPadded(): boolean {
    const overhead = this.req.socket.bytesRead - this.#bytesBefore - this.bodyBytes;
    if (overhead <= limits.chunkOverheadBytes + this.#chunks * limits.chunkOverheadPerPiece) return false;
    // In `req.headers` an app may have deleted it.
    return fieldValue(this.req.rawHeaders, "transfer-encoding") !== undefined;
  }

  /** Node's `close` alone misses a client that left before this call, and one that left while earlier responses were pending. */
  #watchClose(): void {
    if (this.#watchesClose) return;
    this.#watchesClose = true;
    if (this.res.destroyed || this.req.socket.destroyed) return process.nextTick(this.onClose);
    // Before Node's listener, which may close the connection.
    this.res.prependListener("finish", this.#onFinish);
    // No other listeners of the proxy: see `isObserved` in write-head.ts.
    this.res.on("close", this.onClose);
    if (this.res.socket === null) this.#connection.onClose(this.onClose);
  }

  /** Node counts what a closed socket has dropped as written. */
  readonly #onFinish = (): void => {
    this.#sent = !this.req.socket.destroyed;
  };

  protected readonly onClose = (): void => {
    if (this.#closed) return;
    this.#closed = true;
    // What follows is no request: Node's parser has failed, or the client is still in the body.
    if (this.#faulty && !this.#connection.ending && !this.req.socket.destroyed) {
      this.#connection.endLingering(this.#clock);
    }
    this.#connection.offClose(this.onClose);
    this.#connection.forget(this);
    this.#onResponseClosed?.();
    this.#reportClosed();
  };

  #reportClosed(): void {
    if (this.#handler !== undefined) this.#call(this.#handler.onClosed, this.#sent);
  }

  /** Calls the handler in the context of `start`: Node emits in that of the connection or of another request. */
  #call<Argument>(method: (this: ClientHandler, argument: Argument) => void, argument: Argument): void {
    this.#context?.run(method, this.#handler as ClientHandler, argument);
  }
}

function ignore(): void {}
