/** The same bytes, read as requests by our parser and by that of node:http. */

import { createServer, type IncomingMessage } from "node:http";
import { Duplex } from "node:stream";
import { RequestFault } from "../../../../src/client/http1/request-fault.ts";
import { isImplemented, type RequestHead } from "../../../../src/client/http1/request-head.ts";
import { RequestParser } from "../../../../src/client/http1/request-parser.ts";
import { turns } from "../../../support/event-loop.ts";
import type { ReadRequest } from "./generate.ts";

export interface Verdict {
  /** The requests that were read to their ends, in order. */
  readonly requests: readonly ReadRequest[];
  /** How reading has ended: the connection closes behind the last request, more would follow, or the rest is refused. */
  readonly end: "closed" | "open" | "incomplete" | "refused";
  /** The code and the reason of a refusal. */
  readonly code: string;
  readonly reason: string;
}

const headBytes = 16_384;

/** What our parser reads of the pieces, and what a connection does with what it has read. */
export function readOurs(pieces: readonly Buffer[]): Verdict {
  const parser = new RequestParser(headBytes);
  const requests: ReadRequest[] = [];
  let current: { readonly head: RequestHead; body: string } | undefined;
  const verdict = (end: Verdict["end"], code = "", reason = ""): Verdict => ({ requests, end, code, reason });
  const finish = () => {
    if (current === undefined) return true;
    const { method, target, httpVersion, headers, keepAlive } = current.head;
    requests.push({ method, target, httpVersion, headers, body: current.body });
    current = undefined;
    return keepAlive;
  };
  const onData = (data: Buffer) => {
    if (current !== undefined) current.body += data.toString("latin1");
  };
  try {
    for (const piece of pieces) {
      for (let position = 0; position < piece.length; ) {
        if (current !== undefined) position = parser.readBody(piece, position, onData);
        else {
          position = parser.readHead(piece, position);
          const { head } = parser;
          if (head === undefined) continue;
          parser.head = undefined;
          if (!isImplemented(head)) return verdict("refused", "not_implemented", "a method that is not implemented");
          current = { head, body: "" };
        }
        if (current !== undefined && parser.bodyDone && !finish()) {
          return verdict("closed", "", "the client asks for the end of the connection");
        }
      }
    }
  } catch (error) {
    if (!(error instanceof RequestFault)) throw error;
    return verdict("refused", error.code, error.message);
  }
  return verdict(current !== undefined || parser.withinHead ? "incomplete" : "open");
}

/** What node:http reads, with the settings with which the proxy is used. */
export class NodeReader {
  readonly #server = createServer({ requireHostHeader: false, maxHeaderSize: 65_536 });
  readonly #states = new WeakMap<Duplex, { readonly requests: ReadRequest[]; open: number; code: string }>();

  constructor() {
    this.#server.maxHeadersCount = 0;
    for (const event of ["request", "checkContinue", "checkExpectation"]) {
      this.#server.on(event, (req: IncomingMessage) => this.#onRequest(req));
    }
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
      const state = this.#states.get(socket);
      if (state !== undefined && state.code === "") state.code = error.code ?? "";
    });
  }

  async read(pieces: readonly Buffer[]): Promise<Verdict> {
    const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done(), allowHalfOpen: true });
    const state = { requests: [] as ReadRequest[], open: 0, code: "" };
    this.#states.set(socket, state);
    socket.on("error", () => {});
    this.#server.emit("connection", socket);
    for (const piece of pieces) {
      socket.push(piece);
      await turns(1);
    }
    await turns(2);
    // An end within a message is an error, too.
    const { code } = state;
    if (code === "") socket.push(null);
    await turns(2);
    const incomplete = state.code === "HPE_INVALID_EOF_STATE" || state.open > 0;
    socket.destroy();
    const { requests } = state;
    if (code === "HPE_CLOSED_CONNECTION") return { requests, end: "closed", code: "", reason: "" };
    if (code !== "") return { requests, end: "refused", code, reason: code };
    return { requests, end: incomplete ? "incomplete" : "open", code: "", reason: "" };
  }

  #onRequest(req: IncomingMessage): void {
    const state = this.#states.get(req.socket);
    if (state === undefined) return;
    let body = "";
    state.open++;
    req.on("error", () => {});
    req.on("data", (chunk: Buffer) => {
      body += chunk.toString("latin1");
    });
    req.on("end", () => {
      state.open--;
      const { method = "", url: target = "", httpVersion, rawHeaders: headers } = req;
      state.requests.push({ method, target, httpVersion, headers, body });
    });
  }
}
