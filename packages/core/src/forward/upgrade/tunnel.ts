/**
 * The one file that touches http-proxy, which sends a handshake. Its edges are taken over here:
 *
 * - its listeners for errors and refusals end the client's socket, which would rule out another attempt; they are
 *   replaced as soon as its call returns, before anything can have happened
 * - it would relay any 101, with headers joined, unfiltered and encoded again as UTF-8; the response is checked first, and
 *   its head is written here
 * - it joins and collapses paths; the path is set on its request afterwards, byte for byte
 * - it pushes the client's early bytes back into the socket at each try; it is given none, and they are pushed back
 *   once, with the 101
 * - it leaves the other side open when one dies; see `joinEnds`
 * - it verifies an https upstream under the Host that the client sent; it is given a socket of our own connector
 */

import { createHash } from "node:crypto";
import { Agent, type ClientRequest, type IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type HttpProxy from "http-proxy";
import { limits } from "../../config/defaults.ts";
import type { HeadLimits, ResolvedTls, UpstreamAddress } from "../../config/resolved.ts";
import { AsyncContext } from "../../runtime/async-context.ts";
import type { Clock, Timer } from "../../runtime/clock.ts";
import { type Connector, connectTimeoutError, readyEvent } from "../../transport/connector.ts";
import { writeRequestHead } from "../../transport/http1/request-writer.ts";
import type { TransportError } from "../../transport/transport-error.ts";

/** An upgrade as it goes to the upstream. */
export interface TunnelRequest {
  readonly address: UpstreamAddress;
  readonly tls: ResolvedTls;
  readonly responseHead: HeadLimits;
  /** Opens the socket to the upstream. */
  readonly connector: Connector;
  readonly path: string;
  /** Names and values by turns, without those of the upgrade itself. */
  readonly headers: readonly string[];
  /** The client's Sec-WebSocket-Key, which the answer has to prove that it has read. */
  readonly key: string;
}

/** One side of a tunnel. Bytes are counted from the end of its handshake. */
export class TunnelSide {
  readonly socket: Duplex;
  readonly #handshakeBytes: number;

  /** To be made when the handshake has been read; `early` is what was read with it. */
  constructor(socket: Duplex, early: Buffer) {
    this.socket = socket;
    this.#handshakeBytes = bytesRead(socket) - early.length;
  }

  get bytesRead(): number {
    return bytesRead(this.socket) - this.#handshakeBytes;
  }
}

/** What comes of it: exactly one of the three, unless it is aborted. */
export interface TunnelHandler {
  /** Connected, TLS included; nothing of the request has been answered. */
  onConnected(): void;
  /** A matching 101. `open` writes it to the client with the headers given, and joins the sockets. */
  onSwitch(headers: readonly string[], upstream: TunnelSide, open: (headers: readonly string[]) => void): void;
  /** Another answer, to be relayed. */
  onRefusal(response: IncomingMessage): void;
  /** A 101 that does not match. */
  onMismatch(reason: string): void;
  onError(error: Error): void;
}

const require = createRequire(import.meta.url);

/** http-proxy reads `util._extend` once, while it loads, which newer versions of Node warn about. */
function loadHttpProxy(): typeof HttpProxy {
  const util = require("node:util") as { _extend: unknown };
  const original = util._extend;
  util._extend = Object.assign;
  try {
    return require("http-proxy") as typeof HttpProxy;
  } finally {
    util._extend = original;
  }
}

const httpProxy = loadHttpProxy().createProxyServer({});
// Errors of a tunnel reach its own handler; without a listener http-proxy would throw here.
httpProxy.on("error", () => {});

/** A handshake in flight. */
export interface TunnelAttempt {
  /** Gives it up. The handler is not called any more. */
  abort(): void;
  /** Why it has no connection yet, once it has taken too long. */
  connectTimeout(): TransportError;
}

/** Asks an upstream for a tunnel. */
export function requestTunnel(
  request: TunnelRequest,
  client: { readonly socket: Duplex; readonly head: Buffer },
  handler: TunnelHandler,
): TunnelAttempt {
  const context = new AsyncContext();
  let upstreamRequest: ClientRequest;
  let upstreamSocket: Socket | undefined;
  try {
    // Not to send it: `http-proxy` and Node take a path as it is, line breaks and all.
    writeRequestHead({ ...request, method: "GET", bodyLength: 0 });
    upstreamSocket = request.connector.open(request.address, request.tls, { alpn: ["http/1.1"] });
    upstreamRequest = startRequest(request, client.socket, upstreamSocket);
  } catch (error) {
    upstreamSocket?.on("error", () => {}).destroy();
    // A client certificate that cannot be used throws, too. Told later, like any other failure.
    const timer = setImmediate(() => context.run(handler.onError, handler, error as Error));
    return { abort: () => clearImmediate(timer), connectTimeout: () => connectTimeoutError(undefined) };
  }
  for (const event of ["error", "response", "upgrade"]) upstreamRequest.removeAllListeners(event);

  let aborted = false;
  upstreamRequest.on("error", (error) => {
    if (!aborted) context.run(handler.onError, handler, error);
  });
  upstreamRequest.on("socket", (socket) => {
    socket.once(readyEvent(request.address), () => context.run(handler.onConnected, handler));
  });
  upstreamRequest.on("response", (response) => context.run(handler.onRefusal, handler, response));
  upstreamRequest.on("upgrade", (response: IncomingMessage, socket: Duplex, early: Buffer) => {
    socket.on("error", () => {});
    const mismatch = mismatchOf(response, request);
    if (mismatch !== undefined) {
      socket.destroy();
      return context.run(handler.onMismatch, handler, mismatch);
    }
    const open = (headers: readonly string[]) => {
      if (client.head.length > 0) client.socket.unshift(client.head);
      if (early.length > 0) socket.unshift(early);
      client.socket.write(switchingHead(headers), "latin1");
      watchPeer(client.socket);
      socket.pipe(client.socket).pipe(socket);
    };
    context.run(handler.onSwitch, handler, response.rawHeaders, new TunnelSide(socket, early), open);
  });
  return {
    abort: () => {
      aborted = true;
      upstreamRequest.destroy();
    },
    connectTimeout: () => connectTimeoutError(upstreamSocket),
  };
}

/**
 * Lets no side of a tunnel outlive the other: what ends gets a second to say goodbye, what dies takes the other along.
 * `onClosed` is called once both are gone.
 */
export function joinEnds(clock: Clock, client: Duplex, upstream: Duplex, onClosed: () => void): void {
  let open = 2;
  let timer: Timer;
  const lastOrders = () => {
    timer ??= clock.setTimeout(() => {
      client.destroy();
      upstream.destroy();
    }, limits.tunnelEndMs);
  };
  for (const [side, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    side.on("error", () => other.destroy());
    side.on("end", lastOrders);
    side.on("close", () => {
      if (--open === 0) {
        clock.clearTimeout(timer);
        return onClosed();
      }
      // What the dead side sent last may still be on its way out.
      if (!other.writableFinished) other.end();
      lastOrders();
    });
  }
}

/** Tells both sides of an open tunnel that the proxy is going away (RFC 6455 section 7.4.1), and ends it. */
export function sayGoodbye(client: Duplex, upstream: Duplex): void {
  // What still comes has nowhere to go, but has to be read for its end to be seen.
  client.unpipe(upstream);
  upstream.unpipe(client);
  client.resume();
  upstream.resume();
  // Close frame, two bytes: 1001. A client masks what it sends, here with a mask of zeros.
  if (client.writable) client.end(Buffer.from([0x88, 0x02, 0x03, 0xe9]));
  if (upstream.writable) upstream.end(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]));
}

function startRequest(request: TunnelRequest, socket: Duplex, upstreamSocket: Socket): ClientRequest {
  // The protocol and the host are of no use to this agent. TLS, if any, is the socket's own.
  const target = { protocol: "http:", host: "upstream", port: 80, path: "/" };
  const headers = toRecord([...request.headers, "connection", "Upgrade", "upgrade", "websocket"]);
  let started: ClientRequest | undefined;
  const capture = (upstreamRequest: ClientRequest) => {
    started = upstreamRequest;
    upstreamRequest.path = request.path;
    // Node gives it to the parser once there is a socket.
    (upstreamRequest as { maxHeaderSize?: number }).maxHeaderSize = request.responseHead.bytes;
    // `http-proxy` copies its headers by assignment into an object with a prototype, which loses `__proto__`.
    for (const name of upstreamRequest.getHeaderNames()) upstreamRequest.removeHeader(name);
    for (const [name, value] of Object.entries(headers)) upstreamRequest.setHeader(name, value);
  };
  httpProxy.once("proxyReqWs", capture);
  try {
    httpProxy.ws(
      {
        method: "GET",
        url: "/",
        headers: { connection: "Upgrade", upgrade: "websocket" },
      } as unknown as IncomingMessage,
      socket,
      Buffer.alloc(0),
      {
        target: target as unknown as HttpProxy.ServerOptions["target"] & object,
        toProxy: true,
        agent: new OneSocketAgent(upstreamSocket),
      },
      () => {},
    );
  } finally {
    httpProxy.off("proxyReqWs", capture);
  }
  return started as ClientRequest;
}

/** Gives a request the one socket that was opened for it. */
class OneSocketAgent extends Agent {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
  }

  override createConnection(): Socket {
    return this.#socket;
  }
}

/** Node writes the heads that it makes up as UTF-8; bytes from 0x80 on go as they came. */
function switchingHead(headers: readonly string[]): string {
  let text = "HTTP/1.1 101 Switching Protocols\r\n";
  for (let index = 0; index < headers.length; index += 2) text += `${headers[index]}: ${headers[index + 1]}\r\n`;
  return `${text}\r\n`;
}

/** Lets TCP find out that a silent client is gone: no idle timeout ends a tunnel. */
function watchPeer(socket: Duplex): void {
  if (!(socket instanceof Socket)) return;
  socket.setTimeout(0);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, limits.tcpKeepAliveMs);
}

/** Why a 101 is not the answer to this handshake (RFC 6455 section 4.1), if it is not. */
function mismatchOf(response: IncomingMessage, { key, responseHead }: TunnelRequest): string | undefined {
  const { upgrade, "sec-websocket-accept": accept } = response.headers;
  if (response.rawHeaders.length > responseHead.fields * 2) return "the upstream's answer has too many fields";
  if (upgrade?.toLowerCase() !== "websocket") return "the upstream switched to another protocol";
  const expected = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  return accept === expected ? undefined : "the upstream's Sec-WebSocket-Accept does not match";
}

/** Names keep the case of their first appearance; repeated ones become lists, in order. */
function toRecord(headers: readonly string[]): Record<string, string | string[]> {
  const record: Record<string, string | string[]> = Object.create(null);
  const names = new Map<string, string>();
  for (let index = 0; index < headers.length; index += 2) {
    const lower = (headers[index] as string).toLowerCase();
    const name = names.get(lower) ?? (headers[index] as string);
    const value = headers[index + 1] as string;
    const before = record[name];
    names.set(lower, name);
    record[name] = before === undefined ? value : [before, value].flat();
  }
  return record;
}

function bytesRead(socket: Duplex): number {
  return "bytesRead" in socket ? (socket as Socket).bytesRead : 0;
}
