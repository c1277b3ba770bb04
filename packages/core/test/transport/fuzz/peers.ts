/**
 * The same bytes, read by three clients over real sockets: node:http (llhttp), undici (its own build of llhttp), and our
 * own connections. A raw server plays each case to a connection of its own, piece by piece, and ends its side behind it.
 */

import { request } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { Client } from "undici";
import { systemRuntime } from "../../../src/runtime/runtime.ts";
import { Connector } from "../../../src/transport/connector.ts";
import { Http1Transport } from "../../../src/transport/http1/http1-transport.ts";
import { plainAddress, transportSettings } from "../../support/exchanges.ts";

/** How a client took a response. */
export interface Outcome {
  readonly kind: "accepted" | "refused" | "hung";
  readonly status: number;
  readonly statusText: string;
  readonly headers: readonly string[];
  /** In Latin-1. */
  readonly body: string;
  readonly trailers: readonly string[];
  /** The code of the error. */
  readonly code: string;
}

/** What is played to one request. */
export interface Play {
  readonly method: "GET" | "HEAD";
  readonly pieces: readonly Buffer[];
}

const hangMs = 10_000;
/** Well above our own limit. */
const peerHeadBytes = 65_536;
const nothing: Outcome = { kind: "refused", status: 0, statusText: "", headers: [], body: "", trailers: [], code: "" };

export class Peers {
  readonly #server: Server;
  readonly #plays = new Map<string, Play>();
  #next = 0;
  #undici: Client | undefined;
  #transport: Http1Transport | undefined;
  #port = 0;

  constructor() {
    this.#server = createServer((socket) => this.#serve(socket));
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, "127.0.0.1", resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
    this.#undici = new Client(`http://127.0.0.1:${this.#port}`, {
      maxHeaderSize: peerHeadBytes,
      headersTimeout: hangMs,
      bodyTimeout: hangMs,
    });
    this.#transport = new Http1Transport(plainAddress(this.#port), transportSettings(), systemRuntime, new Connector());
  }

  async close(): Promise<void> {
    await this.#undici?.destroy();
    this.#transport?.destroy();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  /** Asks all three, one after another. */
  async ask(play: Play): Promise<{ readonly node: Outcome; readonly undici: Outcome; readonly ours: Outcome }> {
    const [node, undici, ours] = await Promise.all([
      this.#ask(play, (path, settle) => this.#askNode(play.method, path, settle)),
      this.#ask(play, (path, settle) => this.#askUndici(play.method, path, settle)),
      this.#ask(play, (path, settle) => this.#askOurs(play.method, path, settle)),
    ]);
    return { node, undici, ours };
  }

  /** Gives the case an address, and the client so long. */
  #ask(play: Play, ask: (path: string, settle: (outcome: Outcome) => void) => void): Promise<Outcome> {
    const path = `/${this.#next++}`;
    this.#plays.set(path, play);
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle({ ...nothing, kind: "hung" }), hangMs);
      const settle = (outcome: Outcome) => {
        clearTimeout(timer);
        this.#plays.delete(path);
        resolve(outcome);
      };
      ask(path, settle);
    });
  }

  #serve(socket: Socket): void {
    let text = "";
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      if (!text.endsWith("\r\n\r\n")) return;
      const pieces = this.#plays.get(text.split(" ", 2)[1] ?? "")?.pieces ?? [];
      playPieces(socket, pieces, 0);
    });
  }

  #askNode(method: string, path: string, settle: (outcome: Outcome) => void): void {
    const asked = request({
      host: "127.0.0.1",
      port: this.#port,
      method,
      path,
      agent: false,
      maxHeaderSize: peerHeadBytes,
    });
    let outcome = nothing;
    let body = "";
    let answered = false;
    asked.on("error", (error: NodeJS.ErrnoException) => {
      outcome = { ...outcome, code: error.code ?? error.message };
      if (!answered) settle(outcome);
    });
    asked.on("upgrade", (_response, socket) => {
      socket.destroy();
      settle({ ...nothing, code: "upgrade" });
    });
    asked.on("response", (response) => {
      answered = true;
      response.on("data", (chunk: Buffer) => {
        body += chunk.toString("latin1");
      });
      response.on("error", () => {});
      response.on("close", () => {
        const {
          statusCode: status = 0,
          statusMessage: statusText = "",
          rawHeaders: headers,
          rawTrailers: trailers,
        } = response;
        settle({
          ...outcome,
          kind: response.complete ? "accepted" : "refused",
          status,
          statusText,
          headers,
          body,
          trailers,
        });
      });
    });
    asked.end();
  }

  #askUndici(method: "GET" | "HEAD", path: string, settle: (outcome: Outcome) => void): void {
    let outcome = nothing;
    let body = "";
    // `reset`: a connection of its own for every request, or a surplus would be the next one's answer.
    this.#undici?.dispatch(
      { method, path, reset: true },
      {
        onConnect: () => {},
        onHeaders: (status, rawHeaders, _resume, statusText) => {
          if (status >= 200)
            outcome = { ...outcome, status, statusText, headers: rawHeaders.map((raw) => raw.toString("latin1")) };
          return true;
        },
        onData: (chunk) => {
          body += chunk.toString("latin1");
          return true;
        },
        onComplete: (rawTrailers) => {
          const trailers = ((rawTrailers ?? []) as unknown as Buffer[]).map((raw) => raw.toString("latin1"));
          settle({ ...outcome, kind: "accepted", body, trailers });
        },
        onUpgrade: (_status, _headers, socket) => {
          socket.destroy();
          settle({ ...nothing, code: "upgrade" });
        },
        onError: (error: NodeJS.ErrnoException) => settle({ ...outcome, body, code: error.code ?? error.message }),
      },
    );
  }

  #askOurs(method: string, path: string, settle: (outcome: Outcome) => void): void {
    let outcome = nothing;
    let body = "";
    const head = { method, path, headers: ["Host", "a"], bodyLength: 0, headersTimeoutMs: 0, freshConnection: true };
    this.#transport?.dispatch(head, {
      onConnected: () => {},
      onInformation: () => {},
      onResponse: (status, statusText, headers) => {
        outcome = { ...outcome, status, statusText, headers };
      },
      onData: (chunk) => {
        body += Buffer.from(chunk).toString("latin1");
        return true;
      },
      onFlush: () => {},
      onComplete: (trailers) => settle({ ...outcome, kind: "accepted", body, trailers }),
      onFailure: ({ code }) => settle({ ...outcome, body, code }),
      onDrain: () => {},
    });
  }
}

/** A piece in each turn of the event loop, so that each is read by itself. */
function playPieces(socket: Socket, pieces: readonly Buffer[], index: number): void {
  setImmediate(() => {
    const piece = pieces[index];
    if (piece === undefined) return void socket.end();
    socket.write(piece);
    playPieces(socket, pieces, index + 1);
  });
}
