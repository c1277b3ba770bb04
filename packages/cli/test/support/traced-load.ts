/**
 * A load whose every request is known afterwards: its path, its connection, its upstream, and how it ended. With the ports of
 * its connections a failure can be attributed to the process that had the connection.
 */

import { Agent, request } from "node:http";
import { type ClientHttp2Session, connect, constants } from "node:http2";
import type { Socket } from "node:net";
import { WebSocket } from "ws";

export type ClientKind = "fresh" | "kept" | "http2";

export interface Sent {
  /** The request's path is `/ID`. */
  readonly id: string;
  readonly kind: ClientKind;
  readonly startedAt: number;
  endedAt: number;
  /** The client's port of its connection; undefined when there was none. */
  port: number | undefined;
  status: number | undefined;
  text: string;
  error: string | undefined;
}

/** 20 kB, in every fifth request. */
const upload = Buffer.alloc(20_000, "x");

/** Clients that each send their next request after a response, all idempotent: GET, and PUT with a body. */
export class TracedLoad {
  readonly sent: Sent[] = [];
  readonly #url: string;
  readonly #name: string;
  readonly #clients: Promise<void>[] = [];
  readonly #waiting = new Set<() => void>();
  #going = true;
  #ended = 0;

  /** The ids of its requests begin with the name. */
  constructor(url: string, name: string) {
    this.#url = url;
    this.#name = name;
  }

  get ended(): number {
    return this.#ended;
  }

  start(kind: ClientKind, clients: number, streams = 1): void {
    for (let client = 0; client < clients; client++) {
      const send = senders[kind](this.#url);
      for (let stream = 0; stream < streams; stream++) this.#clients.push(this.#run(kind, send));
    }
  }

  /** Resolves when this many more requests have ended. */
  more(count: number): Promise<void> {
    const target = this.#ended + count;
    return new Promise((resolve) => {
      const check = () => {
        if (this.#ended < target) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
    });
  }

  /** Resolves when the last requests have ended. */
  async stop(): Promise<readonly Sent[]> {
    this.#going = false;
    await Promise.all(this.#clients);
    return this.sent;
  }

  async #run(kind: ClientKind, send: Sender): Promise<void> {
    while (this.#going) {
      const number = this.sent.length;
      const one: Sent = {
        id: `${this.#name}-${kind}-${number}`,
        kind,
        startedAt: performance.now(),
        endedAt: Infinity,
        port: undefined,
        status: undefined,
        text: "",
        error: undefined,
      };
      this.sent.push(one);
      await send(one, number % 5 === 0 ? upload : undefined);
      one.endedAt = performance.now();
      this.#ended++;
      for (const check of this.#waiting) check();
    }
  }
}

/** Resolves when the request has ended, in whatever way. */
type Sender = (sent: Sent, body: Buffer | undefined) => Promise<void>;

const senders: Readonly<Record<ClientKind, (url: string) => Sender>> = {
  fresh: (url) => (sent, body) => sendHttp1(url, sent, body, undefined),
  kept: (url) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    return (sent, body) => sendHttp1(url, sent, body, agent);
  },
  http2: (url) => {
    let session: ClientHttp2Session | undefined;
    return async (sent, body) => {
      // After GOAWAY a client gets streams refused that it has not even sent. It may repeat them (RFC 9113 section 8.7).
      for (let attempt = 0; attempt < 3; attempt++) {
        if (session === undefined || session.closed || session.destroyed) session = open(url);
        sent.error = undefined;
        await sendHttp2(session, sent, body);
        if (sent.error !== refused) return;
      }
    };
  },
};

const refused = `reset with ${constants.NGHTTP2_REFUSED_STREAM}`;

function sendHttp1(url: string, sent: Sent, body: Buffer | undefined, agent: Agent | undefined): Promise<void> {
  return new Promise((resolve) => {
    const req = request(new URL(sent.id, url), { agent: agent ?? false, method: body === undefined ? "GET" : "PUT" });
    const fail = (error: NodeJS.ErrnoException) => {
      sent.error ??= error.code ?? error.message;
    };
    req.on("socket", (socket: Socket) => {
      const note = () => {
        sent.port = socket.localPort;
      };
      if (socket.connecting) socket.once("connect", note);
      else note();
    });
    req.on("error", fail);
    req.on("close", resolve);
    req.on("response", (res) => {
      res.on("error", fail);
      res.on("data", (chunk: Buffer) => {
        sent.text += chunk.toString("latin1");
      });
      res.on("end", () => {
        sent.status = res.statusCode;
      });
    });
    req.end(body);
  });
}

function sendHttp2(session: ClientHttp2Session, sent: Sent, body: Buffer | undefined): Promise<void> {
  return new Promise((resolve) => {
    const method = body === undefined ? "GET" : "PUT";
    const stream = session.request({ ":path": `/${sent.id}`, ":method": method }, { endStream: body === undefined });
    let status: number | undefined;
    const note = () => {
      sent.port ??= session.destroyed ? undefined : session.socket?.localPort;
    };
    session.once("connect", note);
    if (!session.connecting) note();
    stream.on("response", (headers) => {
      status = headers[constants.HTTP2_HEADER_STATUS] as number | undefined;
    });
    stream.on("data", (chunk: Buffer) => {
      sent.text += chunk.toString("latin1");
    });
    stream.on("end", () => {
      sent.status = status;
    });
    stream.on("error", (error: NodeJS.ErrnoException) => {
      sent.error ??= stream.rstCode === 0 ? (error.code ?? error.message) : `reset with ${stream.rstCode}`;
    });
    stream.on("close", () => {
      session.off("connect", note);
      if (stream.rstCode !== 0) sent.error ??= `reset with ${stream.rstCode}`;
      resolve();
    });
    if (body !== undefined) stream.end(body);
  });
}

function open(url: string): ClientHttp2Session {
  const session = connect(url);
  session.setMaxListeners(100);
  // Its streams report the failure.
  session.on("error", () => {});
  return session;
}

/** A WebSocket that sends a message after each echo, with a pause. */
export interface TracedSocket {
  readonly port: number;
  readonly echoes: number;
  /** How it was closed; undefined while it is open. */
  readonly closed: string | undefined;
  close(): void;
}

export function openEcho(url: string): Promise<TracedSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace("http", "ws"));
    let timer: NodeJS.Timeout | undefined;
    const state = {
      port: 0,
      echoes: 0,
      closed: undefined as string | undefined,
      close: () => {
        clearTimeout(timer);
        socket.terminate();
      },
    };
    socket.on("upgrade", (response) => {
      state.port = response.socket.localPort ?? 0;
    });
    socket.on("open", () => {
      socket.send("0");
      resolve(state);
    });
    socket.on("message", (data) => {
      if (String(data) !== String(state.echoes)) state.closed ??= `wrong echo ${String(data)}`;
      state.echoes++;
      timer = setTimeout(() => socket.send(String(state.echoes)), 20);
    });
    socket.on("error", (error) => {
      state.closed ??= error.message;
      reject(error);
    });
    socket.on("close", (code) => {
      clearTimeout(timer);
      state.closed ??= `closed with ${code}`;
    });
  });
}
