/** Two upstreams that read strictly, keep what they read, and say what they are told to. */

import { createHash } from "node:crypto";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { readRequest, StrictError, type StrictRequest, valuesOf } from "../../support/strict-http.ts";
import type { Play } from "./input.ts";
import { mutate } from "./mutations.ts";
import { cut } from "./pacing.ts";
import { readSentResponse } from "./sent-responses.ts";
import { acceptPlace, askedPlace, tagIn } from "./tag.ts";

/** What was said to a request. */
export interface Said {
  readonly request: StrictRequest;
  readonly bytes: Buffer;
  readonly end: Play["end"];
}

interface Connection {
  readonly socket: Socket;
  bytes: Buffer;
  /** The place of the request in `seen` whose body is still to come. */
  open: number | undefined;
  tunnel: boolean;
  /** Ended from this side. */
  over: boolean;
}

const noTag = "t0000009";

export class Upstreams {
  /** Requests of the input, whole or not. */
  seen: StrictRequest[] = [];
  said: Said[] = [];
  /** What no upstream should ever get to read. */
  violations: string[] = [];
  readonly #connections = new Set<Connection>();
  readonly #servers: readonly Server[];
  #plays: readonly Play[] = [];
  #playing = 0;

  constructor() {
    this.#servers = [0, 1].map(() =>
      createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket)),
    );
  }

  async listen(): Promise<string[]> {
    return Promise.all(
      this.#servers.map(async (server) => {
        server.listen(0, "127.0.0.1");
        await new Promise((resolve) => {
          server.once("listening", resolve);
        });
        return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      }),
    );
  }

  async close(): Promise<void> {
    for (const { socket } of this.#connections) socket.destroy();
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => void server.close(resolve))));
  }

  /** Forgets what was, and says these from now on. */
  begin(plays: readonly Play[]): void {
    this.#plays = plays;
    this.seen = [];
    this.said = [];
    this.violations = [];
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Whatever has not come to its end, in words: idle connections are in order. */
  leftovers(): string[] {
    const ended = [...this.#connections].filter(({ over, tunnel }) => over || tunnel).length;
    return [
      ...(this.#playing > 0 ? [`upstreams are still saying ${this.#playing} answers`] : []),
      ...(ended > 0 ? [`${ended} connections to upstreams outlive their end`] : []),
    ];
  }

  #accept(socket: Socket): void {
    const connection: Connection = { socket, bytes: Buffer.alloc(0), open: undefined, tunnel: false, over: false };
    this.#connections.add(connection);
    socket.on("close", () => this.#connections.delete(connection));
    socket.on("error", () => {});
    socket.on("end", () => socket.end());
    socket.on("data", (chunk: Buffer) => {
      if (connection.tunnel) return void socket.write(chunk);
      if (connection.over) return;
      connection.bytes = connection.bytes.length === 0 ? chunk : Buffer.concat([connection.bytes, chunk]);
      try {
        while (this.#read(connection));
      } catch (error) {
        if (!(error instanceof StrictError)) throw error;
        this.violations.push(`${error.message}: ${JSON.stringify(connection.bytes.toString("latin1").slice(0, 500))}`);
        connection.over = true;
        socket.destroy();
      }
    });
  }

  /** Reads the next request as far as it has come; false when there is nothing more to read. */
  #read(connection: Connection): boolean {
    if (connection.bytes.length === 0 || connection.over || connection.tunnel) return false;
    const request = readRequest(connection.bytes, 0);
    if (request === undefined) return false;
    const victim = request.target.startsWith("/victim/");
    const first = connection.open === undefined;
    if (!victim) {
      connection.open ??= this.seen.length;
      this.seen[connection.open] = request;
    }
    const play = victim ? undefined : this.#plays[(connection.open ?? 0) % this.#plays.length];
    const early = play?.early === true;
    if (early ? first : request.complete) {
      if (play === undefined) answerVictim(connection.socket, request.target);
      else this.#play(connection, play, request);
    }
    if (!request.complete) return false;
    connection.open = undefined;
    connection.bytes = connection.bytes.subarray(request.end);
    return true;
  }

  #play(connection: Connection, play: Play, request: StrictRequest): void {
    const { socket } = connection;
    const bytes = fill(play, request);
    const { status, complete } = readSentResponse(bytes, request.method, false);
    // Whoever waits for the rest would wait for ever.
    const end = complete || play.end === "rst" ? play.end : "fin";
    this.said.push({ request, bytes, end });
    connection.tunnel = status === 101 && end === "keep";
    connection.over = end !== "keep";
    this.#playing++;
    void say(socket, bytes, play, end).finally(() => {
      this.#playing--;
    });
  }
}

async function say(socket: Socket, bytes: Buffer, play: Play, end: Play["end"]): Promise<void> {
  for (const [index, piece] of cut(bytes, play.cuts).entries()) {
    if (index > 0) await nextTurn();
    if (socket.destroyed) return;
    socket.write(piece);
  }
  if (end === "fin") socket.end();
  if (end === "rst") socket.write("", () => void socket.resetAndDestroy());
}

function fill({ bytes, switches, mutations, truncateAt }: Play, { target, fields }: StrictRequest): Buffer {
  const [key] = valuesOf(fields, "sec-websocket-key");
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  const switching = `HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
  const text = switches && valuesOf(fields, "upgrade").length > 0 ? switching : bytes;
  const filled = text.replaceAll(askedPlace, tagIn(target) ?? noTag).replaceAll(acceptPlace, accept);
  const all = Buffer.from(mutate(filled, mutations), "latin1");
  return truncateAt === undefined ? all : all.subarray(0, truncateAt % (all.length + 1));
}

function answerVictim(socket: Socket, target: string): void {
  socket.write(`HTTP/1.1 200 OK\r\nX-Tag: ${target}\r\nContent-Length: ${target.length}\r\n\r\n${target}`, "latin1");
}
