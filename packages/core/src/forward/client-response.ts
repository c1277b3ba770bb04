import type { IncomingMessage, ServerResponse } from "node:http";
import { type ErrorCode, errorKind } from "../errors.ts";
import type { RequestRecord } from "./request-record.ts";
import { sendReply } from "./reply.ts";
import { clientHeaders } from "./response-head.ts";
import { writeHead } from "./write-head.ts";

/** The client's side of a request: one answer, the upstream's or our own, and never a broken one that looks whole. */
export class ClientResponse {
  /** The head has been written: what goes wrong from now on can only be cut off. */
  committed = false;
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #record: RequestRecord;
  #drainAwaited = false;

  constructor(req: IncomingMessage, res: ServerResponse, record: RequestRecord) {
    this.#req = req;
    this.#res = res;
    this.#record = record;
    // Without a listener node would throw what a dying client's socket reports.
    req.on("error", () => {});
    res.on("error", () => {});
  }

  /** Relays a 102 or 103 to a client that can understand one and whose turn it is. */
  inform(status: number, raw: readonly string[]): void {
    const { socket } = this.#res;
    if (this.committed || socket === null || this.#req.httpVersionMinor === 0) return;
    const headers = clientHeaders(raw, undefined);
    let text = `HTTP/1.1 ${status} ${status === 103 ? "Early Hints" : "Processing"}\r\n`;
    for (let index = 0; index < headers.length; index += 2) text += `${headers[index]}: ${headers[index + 1]}\r\n`;
    socket.write(`${text}\r\n`, "latin1");
  }

  begin(status: number, statusText: string, headers: string[]): void {
    this.committed = true;
    this.#record.error = undefined;
    this.#record.status = status;
    writeHead(this.#res, status, statusText, headers);
  }

  /** False asks to wait for `onDrain`. */
  write(chunk: Uint8Array, onDrain: () => void): boolean {
    this.#record.bytesOut += chunk.length;
    if (this.#res.write(chunk)) return true;
    if (!this.#drainAwaited) {
      this.#drainAwaited = true;
      this.#res.on("drain", onDrain);
    }
    return false;
  }

  flush(): void {
    this.#res.flushHeaders();
  }

  end(): void {
    this.#res.end();
  }

  /** Answers in the proxy's own name. */
  reply(code: ErrorCode, bodySettled: boolean): void {
    const { head, facts } = this.#record;
    this.committed = true;
    this.#record.error = code;
    this.#record.status = errorKind(code).status;
    this.#record.bytesOut = sendReply(this.#res, {
      code,
      requestId: facts?.requestId ?? "-",
      accept: head?.accept,
      bodySettled,
    });
  }

  /**
   * Ends an answer that broke off: no last chunk, fewer bytes than announced. Where only the end of the connection would
   * mark the end of the body (HTTP/1.0), the connection is reset, since an orderly end would pass for a whole answer.
   */
  cutOff(): void {
    this.#record.flags.add("truncated");
    const { socket } = this.#res;
    if (socket !== null && this.#req.httpVersionMinor === 0) socket.resetAndDestroy();
    this.#res.destroy();
  }
}
