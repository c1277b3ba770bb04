import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type ErrorCode, errorKind } from "../errors.ts";
import type { Engine } from "./engine.ts";
import { lingerOnClose } from "./lingering-close.ts";
import { sendReply } from "./reply.ts";
import type { RequestRecord } from "./request-record.ts";
import { clientHeaders } from "./response-head.ts";
import { StalledClient } from "./stalled-client.ts";
import { clientTrailers } from "./trailers.ts";
import { writeHead } from "./write-head.ts";

/** Who has to keep the client's pace. */
export interface ClientPace {
  /** What was written has been taken. */
  onClientDrain(): void;
  /** Nothing has been taken for too long. */
  onClientStalled(): void;
}

/** The client's side of a request: one answer, the upstream's or our own, and never a broken one that looks whole. */
export class ClientResponse {
  /** The head has been written: what goes wrong from now on can only be cut off. */
  committed = false;
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #record: RequestRecord;
  readonly #engine: Engine;
  #stalled: StalledClient | undefined;

  constructor(req: IncomingMessage, res: ServerResponse, record: RequestRecord, engine: Engine) {
    this.#req = req;
    this.#res = res;
    this.#record = record;
    this.#engine = engine;
    // Without a listener node would throw what a dying client's socket reports.
    req.on("error", () => {});
    res.on("error", () => {});
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

  /** `early` when the request has not been read to its end: nothing behind it on this connection can be trusted. */
  begin(status: number, statusText: string, headers: string[], early: boolean): void {
    this.committed = true;
    if (early) this.#endConnection();
    this.#record.error = undefined;
    this.#record.status = status;
    writeHead(this.#res, status, statusText, headers);
  }

  /** False asks to wait for `onClientDrain`. */
  write(chunk: Uint8Array, pace: ClientPace): boolean {
    this.#record.bytesOut += chunk.length;
    if (this.#res.write(chunk)) return true;
    this.#stalled ??= this.#watchPace(pace);
    this.#stalled.wait();
    return false;
  }

  /** Sends what has been written so far. Node would make up a head of its own if there were none yet. */
  flush(): void {
    if (this.committed) this.#res.flushHeaders();
  }

  /** Trailers go to a client that has said it wants them (RFC 9110 section 6.5.1). */
  end(trailers: readonly string[]): void {
    if (trailers.length > 0 && this.#record.head?.wantsTrailers === true)
      this.#res.addTrailers(clientTrailers(trailers));
    this.#res.end();
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

  /** Answers in the proxy's own name. */
  reply(code: ErrorCode, bodySettled: boolean): void {
    const { head } = this.#record;
    this.committed = true;
    if (!bodySettled) this.#endConnection();
    this.#record.error = code;
    this.#record.status = errorKind(code).status;
    this.#record.bytesOut = sendReply(this.#res, {
      code,
      requestId: this.#record.requestId,
      accept: head?.accept,
      bodySettled,
      draining: this.#engine.draining,
    });
  }

  #watchPace(pace: ClientPace): StalledClient {
    const { runtime, routing } = this.#engine;
    const stalled = new StalledClient(runtime.clock, routing.sendTimeoutMs, () => pace.onClientStalled());
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
    if (socket !== null && this.#req.httpVersionMinor === 0) reset(socket);
    this.#res.destroy();
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
