import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { BodyBuffers } from "../client/node/body-buffers.ts";
import { awaitsContinue } from "../client/node/expect-continue.ts";
import { lingerOnClose } from "../client/node/lingering-close.ts";
import { flushEvents, flushHead, writeHead } from "../client/node/write-head.ts";
import { SendTimeout } from "../client/send-timeout.ts";
import { limits } from "../config/defaults.ts";
import { type ErrorCode, errorKind, ProxyError } from "../errors.ts";
import type { ForwardContext } from "./context.ts";
import { sendReply } from "./error-response.ts";
import { clientHeaders, connectionNames } from "./headers/client-headers.ts";
import { answerHeaders } from "./headers/hook-response-headers.ts";
import { clientTrailers } from "./headers/trailers.ts";
import { type Answer, runErrorHook } from "./hooks.ts";
import type { RequestRecord } from "./request-record.ts";

/** Who has to keep the client's pace. */
export interface ClientPace {
  /** What was written has been taken. */
  onClientDrain(): void;
  /** Nothing has been taken for too long. */
  onClientStalled(): void;
}

interface Head {
  readonly status: number;
  readonly statusText: string;
  readonly headers: string[];
  readonly early: boolean;
}

/** The client's side of a request: one answer, the upstream's or our own, and never a broken one that looks whole. */
export class ClientResponse {
  /** The head has been written: what goes wrong from now on can only be cut off. */
  committed = false;
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #record: RequestRecord;
  readonly #engine: ForwardContext;
  /** An upstream's head that has not been written yet. */
  #head: Head | undefined;
  /** The first bytes of a body as Latin-1, held to see whether they are all. */
  #only: string | undefined;
  #pieces: BodyBuffers | undefined;
  #stalled: SendTimeout | undefined;

  constructor(req: IncomingMessage, res: ServerResponse, record: RequestRecord, engine: ForwardContext) {
    this.#req = req;
    this.#res = res;
    this.#record = record;
    this.#engine = engine;
    // Without a listener node would throw what a dying client's socket reports.
    req.on("error", ignore);
    res.on("error", ignore);
  }

  /** Relays a 102 or 103 to a client that can understand one and whose turn it is. */
  inform(status: number, raw: readonly string[]): void {
    const { socket } = this.#res;
    if (this.committed || socket === null || this.#req.httpVersionMinor === 0) return;
    const headers = clientHeaders(raw, undefined, status);
    let text = `HTTP/1.1 ${status} ${status === 103 ? "Early Hints" : "Processing"}\r\n`;
    for (let index = 0; index < headers.length; index += 2) text += `${headers[index]}: ${headers[index + 1]}\r\n`;
    socket.write(`${text}\r\n`, "latin1");
  }

  /**
   * Takes an upstream's head, which is written with the first bytes of the body, the next flush or the end: until then
   * another answer may take its place. `early` when the request has not been read to its end: nothing behind it on this
   * connection can be trusted.
   */
  begin(status: number, statusText: string, headers: string[], early: boolean): void {
    this.#head = { status, statusText, headers, early };
    this.#only = undefined;
    this.#record.error = undefined;
    this.#record.status = status;
  }

  #commit(): void {
    const head = this.#head;
    if (this.committed || head === undefined) return;
    if (head.early) this.#endConnection();
    this.#writeHead(head.status, head.statusText, head.headers);
  }

  /** False when the app has answered meanwhile, or middleware has failed with the head: the response is cut off. */
  #writeHead(status: number, statusText: string, headers: string[]): boolean {
    this.committed = true;
    try {
      writeHead(this.#res, status, statusText, headers);
      return true;
    } catch (error) {
      this.#record.failed("internal", error);
      this.cutOff();
      return false;
    }
  }

  /** False asks to wait for `onClientDrain`. The chunk is not kept. */
  write(chunk: Buffer, pace: ClientPace): boolean {
    if (!this.committed && this.#only === undefined && chunk.length <= limits.joinedBodyBytes) {
      this.#only = chunk.toString("latin1");
      return true;
    }
    this.#writeOut();
    this.#record.bytesOut += chunk.length;
    this.#pieces ??= new BodyBuffers();
    if (this.#pieces.send(this.#res, chunk)) return true;
    this.#stalled ??= this.#watchPace(pace);
    this.#stalled.wait();
    return false;
  }

  /** Whatever has been held goes out. */
  #writeOut(): void {
    this.#commit();
    const only = this.#takeOnly();
    if (only === undefined) return;
    this.#record.bytesOut += only.length;
    this.#res.write(only, "latin1");
  }

  #takeOnly(): string | undefined {
    const only = this.#only;
    this.#only = undefined;
    return only;
  }

  /** Sends what there is so far. Node would make up a head of its own if there were none yet. */
  flush(): void {
    this.#writeOut();
    if (!this.committed) return;
    flushHead(this.#res);
    if (this.#head !== undefined) flushEvents(this.#res, this.#head.headers);
  }

  /** Trailers go to a client that has said it wants them (RFC 9110 section 6.5.1). */
  end(trailers: readonly string[], upstreamHead: readonly string[] = []): void {
    this.#commit();
    if (trailers.length > 0 && this.#record.head?.wantsTrailers === true) {
      this.#res.addTrailers(clientTrailers(trailers, connectionNames(upstreamHead)));
    }
    const only = this.#takeOnly();
    if (only === undefined) return void this.#res.end();
    this.#record.bytesOut += only.length;
    // Node joins a head with a string; a buffer would go out beside it.
    this.#engine.departures.end(this.#res, only);
  }

  /** The client takes nothing more. */
  release(): void {
    this.#stalled?.release();
  }

  /** Answers `OPTIONS *`, which asks about this proxy and nothing behind it (RFC 9110 section 9.3.7). */
  answerOptions(): void {
    this.#record.status = 204;
    writeHead(this.#res, 204, "No Content", [
      "Allow",
      "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS",
      "Via",
      "1.1 evenkeel",
    ]);
    this.#res.end();
  }

  /** Gives an answer of a hook. Headers that frame it or belong to the connection are the proxy's. */
  answer(given: Answer, mayKeepOpen: boolean): void {
    if (this.#res.headersSent) return this.#leaveToApp();
    const bodySettled = mayKeepOpen && !awaitsContinue(this.#res, this.#record.head);
    const body = Buffer.from(given.body ?? "");
    const close = !bodySettled || this.#engine.draining;
    const written = this.#writeHead(given.status, STATUS_CODES[given.status] ?? "", [
      ...answerHeaders(given, this.#record.requestId),
      ...(given.status === 204 || given.status === 304 ? [] : ["Content-Length", String(body.length)]),
      ...(this.#record.setCookie === undefined ? [] : ["Set-Cookie", this.#record.setCookie]),
      ...(close ? ["Connection", "close"] : []),
    ]);
    if (!written) return;
    if (!bodySettled) this.#endConnection();
    this.#record.status = given.status;
    this.#record.bytesOut = this.#req.method === "HEAD" ? 0 : body.length;
    this.#res.end(body);
  }

  /** Answers in the proxy's own name, or with what `onError` says instead. `detail` is for the client to read. */
  reply(code: ErrorCode, bodySettled: boolean, detail?: string): void {
    const { hooks } = this.#engine;
    const { requestId, onError, appRequest: req, cause } = this.#record;
    this.#record.error = code;
    if (this.#res.headersSent) return this.#leaveToApp();
    if (onError !== undefined) return this.#handOver(onError, code, bodySettled, detail);
    const { status } = errorKind(code);
    const instead = hooks.onError && runErrorHook(hooks, { req, requestId, code, status, cause }, this.#record);
    if (instead === undefined) this.#replyPlainly(code, bodySettled, detail);
    else this.answer(instead, bodySettled && errorKind(code).source !== "client");
  }

  /** Leaves the answer to the app. What has become of the request's body decides on the connection all the same. */
  #handOver(onError: (error: ProxyError) => void, code: ErrorCode, mayKeepOpen: boolean, detail?: string): void {
    this.#head = undefined;
    this.#only = undefined;
    this.committed = true;
    const { source, status } = errorKind(code);
    this.#record.status = status;
    this.#record.answeredElsewhere(this.#res);
    const bodySettled = mayKeepOpen && !awaitsContinue(this.#res, this.#record.head);
    if (!bodySettled) this.#endConnection();
    if (!this.#res.headersSent) {
      const close = !bodySettled || this.#engine.draining || source === "client";
      if (close) this.#res.setHeader("Connection", "close");
      if (this.#record.setCookie !== undefined) this.#res.appendHeader("Set-Cookie", this.#record.setCookie);
    }
    try {
      const { cause } = this.#record;
      onError(new ProxyError(code, detail ?? `${STATUS_CODES[status]} (${code})`, { cause }));
    } catch (error) {
      this.#record.threw("passErrors", error);
      if (this.#res.headersSent) this.cutOff();
      else this.#replyPlainly(code, bodySettled, detail);
    }
  }

  /** The app has begun a response of its own meanwhile, and ends it. */
  #leaveToApp(): void {
    this.committed = true;
    this.#record.status = this.#res.statusCode;
    this.#record.answeredElsewhere(this.#res);
  }

  #replyPlainly(code: ErrorCode, mayKeepOpen: boolean, detail?: string): void {
    const { head, requestId, setCookie } = this.#record;
    // A client that was never told to go on may send its body or may not: nobody could say what comes next.
    const bodySettled = mayKeepOpen && !awaitsContinue(this.#res, head);
    this.committed = true;
    if (!bodySettled) this.#endConnection();
    this.#record.error = code;
    this.#record.status = errorKind(code).status;
    const { draining } = this.#engine;
    this.#record.bytesOut = sendReply(this.#res, {
      code,
      detail,
      requestId,
      accept: head?.accept,
      setCookie,
      bodySettled,
      draining,
    });
  }

  #watchPace(pace: ClientPace): SendTimeout {
    const { runtime, routing } = this.#engine;
    const stalled = new SendTimeout(runtime.clock, routing.sendTimeoutMs, () => pace.onClientStalled());
    this.#res.on("drain", () => {
      stalled.move();
      pace.onClientDrain();
    });
    return stalled;
  }

  #endConnection(): void {
    lingerOnClose(this.#req.socket, this.#engine.runtime.clock);
  }

  /**
   * Ends an answer that broke off: no last chunk, fewer bytes than announced. Where only the end of the connection would
   * mark the end of the body (HTTP/1.0), the connection is reset, since an orderly end would pass for a whole answer.
   */
  cutOff(): void {
    this.#record.flags.add("truncated");
    const { socket } = this.#res;
    if (socket === null || this.#req.httpVersionMinor > 0) return void this.#res.destroy();
    // A reset that arrives together with data is taken for an orderly end by some readers, Node's among them.
    socket.pause();
    this.#engine.runtime.clock.setTimeout(() => reset(socket), limits.resetDelayMs);
  }
}

/** Only TCP knows a reset. Over TLS the missing close alert says the same; a unix socket has nothing to say it with. */
function reset(socket: Socket): void {
  try {
    socket.resetAndDestroy();
  } catch {
    socket.destroy();
  }
}

function ignore(): void {}
