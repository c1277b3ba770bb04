import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Stream } from "node:http2";
import { limits } from "../../config/defaults.ts";
import type { ErrorCode } from "../../errors.ts";
import { errorCode } from "../../http2/protocol.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { ChangedHeaders, HeaderObject } from "../changed-headers.ts";
import type { ClientExchange, ClientHandler, ResponseLead } from "../client-exchange.ts";
import { HandlerCalls } from "../handler-calls.ts";
import { responseFields, trailerFields } from "../http2/response-fields.ts";
import type { RawStream } from "../raw-stream.ts";
import { type CompatHead, compatChangedHeaders, compatHead } from "./compat-head.ts";

/**
 * A request to Node's HTTP/2 server and the response to it, as an app has them (Node's compatibility API). What an app has
 * replaced on the response is used.
 */
export class CompatExchange implements ClientExchange {
  readonly httpVersion = "2.0";
  readonly connection = undefined;
  /** As it was at the start: frameworks change `req.url` while they pass a request on. */
  readonly target: string;
  readonly encrypted: boolean;
  bodyBytes = 0;
  readonly fault: ErrorCode | undefined;
  readonly req: Http2ServerRequest;
  readonly #res: Http2ServerResponse;
  readonly #stream: ServerHttp2Stream;
  readonly #clock: Clock;
  readonly #appHeaders: HeaderObject | undefined;
  readonly #head: CompatHead;
  readonly #remoteAddress: string | undefined;
  readonly #calls = new HandlerCalls();
  #reading = false;
  #discarding = false;
  #ended = false;
  #bodiless = false;
  #watchesDrain = false;

  /** `headers` are those that the app has, where a framework keeps them elsewhere than in `req.headers`. */
  constructor(req: Http2ServerRequest, res: Http2ServerResponse, clock: Clock, headers?: HeaderObject) {
    this.req = req;
    this.#res = res;
    this.#stream = req.stream;
    this.#clock = clock;
    this.#appHeaders = headers;
    this.target = req.url;
    this.#head = compatHead(req);
    this.fault = this.#head.malformed ? "bad_request" : undefined;
    const { session } = req.stream;
    this.#remoteAddress = session?.socket.remoteAddress;
    this.encrypted = session?.encrypted === true;
    this.#ended = !this.#head.bodyFollows;
  }

  get method(): string {
    return this.req.method;
  }

  get rawHeaders(): readonly string[] {
    return this.#head.rawHeaders;
  }

  get bodyFollows(): boolean {
    return this.#head.bodyFollows;
  }

  get changedHeaders(): ChangedHeaders | undefined {
    return compatChangedHeaders(this.req, this.#appHeaders);
  }

  get remoteAddress(): string | undefined {
    return this.#stream.destroyed ? undefined : this.#remoteAddress;
  }

  get bodyComplete(): boolean {
    return this.#ended || (!this.#stream.destroyed && this.#stream.state.remoteClose === 1);
  }

  get bodyTaken(): boolean {
    return !this.#reading && (this.req.readableDidRead || this.req.readableEnded);
  }

  /** Node has sent one already, unless the handler listens to the server's `checkContinue` too. */
  get continueSent(): boolean {
    return this.#stream.sentInfoHeaders?.some(({ ":status": status }) => status === 100) === true;
  }

  get status(): number {
    return this.#res.headersSent ? this.#res.statusCode : 0;
  }

  start(handler: ClientHandler): void {
    this.#calls.start(handler);
    this.#stream.on("error", ignore);
    this.#res.on("error", ignore);
    this.req.on("error", ignore);
    if (this.#stream.destroyed) return this.#calls.closeSoon(false);
    this.#stream.prependListener("finish", () => this.#onSent());
    this.#stream.on("close", () => this.#calls.close(this.#isSent));
    this.req.on("aborted", () => this.#calls.close(false));
  }

  /** The request is the app's from now on: no route matches it. */
  decline(): void {}

  /** Leaves the response to the app. Its end is still reported to the handler. */
  release({ setCookie }: ResponseLead): void {
    if (this.#res.headersSent || setCookie === undefined) return;
    this.#res.setHeader("set-cookie", [...cookiesOf(this.#res), setCookie]);
  }

  sendContinue(): void {
    this.#res.writeContinue();
  }

  readBody(): void {
    if (this.#stream.destroyed) return;
    if (!this.#reading) {
      this.#reading = true;
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
    this.readBody();
  }

  inform(status: number, headers: readonly string[]): void {
    if (this.#isClosed || this.#res.headersSent) return;
    this.#stream.additionalHeaders({ ":status": status, ...recordOf(responseFields(headers)) });
  }

  begin(status: number, _reason: string, headers: string[], _last: boolean): boolean {
    if (this.#res.headersSent) return false;
    this.#bodiless = this.method === "HEAD" || status === 204 || status === 304;
    const record = recordOf(responseFields(headers));
    const cookies = [...cookiesOf(this.#res), ...[record["set-cookie"] ?? []].flat()];
    if (cookies.length > 0) record["set-cookie"] = cookies;
    if (this.#isClosed) return true;
    for (const [name, value] of Object.entries(record)) this.#res.setHeader(name, value);
    this.#res.writeHead(status);
    return true;
  }

  write(data: Buffer | string): boolean {
    if (this.#isClosed || this.#bodiless) return true;
    // Node keeps the buffer until the client's window allows to send it.
    const isWritable = this.#res.write(typeof data === "string" ? Buffer.from(data, "latin1") : Buffer.from(data));
    if (isWritable) return true;
    if (!this.#watchesDrain) {
      this.#watchesDrain = true;
      this.#res.on("drain", () => this.#calls.onWritable());
    }
    return false;
  }

  /** The head is sent with `begin`. */
  flush(): void {}

  end(body: Uint8Array | string | undefined, trailers: readonly [name: string, value: string][]): void {
    if (this.#isClosed) return;
    if (trailers.length > 0) this.#res.addTrailers(recordOf(trailerFields(trailers)));
    if (body === undefined || this.#bodiless) this.#res.end();
    else this.#res.end(typeof body === "string" ? Buffer.from(body, "latin1") : Buffer.from(body));
    // Without a reader Node resets the stream, and the reset can overtake the end of the response.
    if (!this.#reading) this.discardBody();
  }

  /** Destroyed rather than closed: `close` ends the response first, and the client could take it for complete. */
  cutOff(): void {
    this.#calls.closeSoon(false);
    this.#stream.destroy(new Error("the response is cut off"));
  }

  takeOver(_headers: readonly string[]): RawStream | undefined {
    return undefined;
  }

  get #isClosed(): boolean {
    return this.#calls.closed || this.#stream.destroyed;
  }

  get #isSent(): boolean {
    return this.#stream.writableFinished && (this.#stream.rstCode ?? errorCode.noError) === errorCode.noError;
  }

  #onData(chunk: Buffer): void {
    this.bodyBytes += chunk.length;
    if (!this.#discarding && !this.#calls.closed) this.#calls.onBody(chunk);
  }

  #onEnd(): void {
    this.#ended = true;
    if (!this.#discarding && !this.#calls.closed) this.#calls.onBodyEnd();
  }

  /** The rest of the request is read for a while. Node's own reset would come in front of data that waits for the client. */
  #onSent(): void {
    this.#calls.close(this.#isSent);
    if (this.bodyComplete) return;
    this.discardBody();
    const timer = this.#clock.setTimeout(() => this.#stream.close(errorCode.noError), limits.lingeringMs);
    this.#stream.once("close", () => this.#clock.clearTimeout(timer));
  }
}

function ignore(): void {}

function cookiesOf(res: Http2ServerResponse): string[] {
  return [res.getHeader("set-cookie") ?? []].flat() as string[];
}

/** The fields by name, several values of one name in a list. */
function recordOf(fields: readonly string[]): Record<string, string | string[]> {
  const record: Record<string, string | string[]> = {};
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    const value = fields[index + 1] as string;
    const before = record[name];
    record[name] = before === undefined ? value : [before, value].flat();
  }
  return record;
}
