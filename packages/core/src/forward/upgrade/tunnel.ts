/**
 * The only file that uses http-proxy, which sends a handshake. Some of what it does is replaced here:
 *
 * - its listeners for errors and refusals end the client's socket, which would prevent another attempt: they are replaced as
 *   soon as its call returns, before an event can be emitted
 * - it relays any 101, with headers joined, unfiltered and encoded as UTF-8: here the response is checked first, and its head is
 *   written by us
 * - it joins and collapses paths: here the path is set on its request afterwards, byte for byte
 * - it pushes the client's early bytes back into the client's socket at each attempt: it gets neither of them
 * - it leaves the other side open when one closes: see `closeTogether`
 * - it verifies an https upstream under the client's Host: it gets a socket of our own connector
 */

import { createHash } from "node:crypto";
import { Agent, type ClientRequest, type IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type HttpProxy from "http-proxy";
import { RawStream } from "../../client/raw-stream.ts";
import { limits } from "../../config/defaults.ts";
import type { HeadLimits, ResolvedTls, UpstreamAddress } from "../../config/resolved.ts";
import { toFieldRecord } from "../../http1/fields.ts";
import { AsyncContext } from "../../runtime/async-context.ts";
import type { Clock, Timer } from "../../runtime/clock.ts";
import { runInContext } from "../../tracing/channels.ts";
import type { RunInContext } from "../../tracing/messages.ts";
import { type Connector, connectTimeoutError, readyEvent } from "../../transport/connector.ts";
import { writeRequestHead } from "../../transport/http1/request-writer.ts";
import type { TransportError } from "../../transport/transport-error.ts";

/** A handshake as it is sent to the upstream. */
export interface TunnelRequest {
  readonly address: UpstreamAddress;
  readonly tls: ResolvedTls;
  readonly responseHead: HeadLimits;
  /** Opens the socket to the upstream. */
  readonly connector: Connector;
  readonly path: string;
  /** Alternating names and values, without those of the upgrade itself. */
  readonly headers: readonly string[];
  /** Node's HTTP client is called in it. */
  readonly run?: RunInContext | undefined;
  /** The client's Sec-WebSocket-Key. The response has to prove that the upstream has read it. */
  readonly key: string;
}

/** The result of a handshake: exactly one of the last four, unless it is aborted. */
export interface TunnelHandler {
  /** The connection is open, TLS included; no response has been received. */
  onConnected(): void;
  /** A matching 101 with these headers. */
  onSwitch(headers: readonly string[], upstream: RawStream): void;
  /** Another response, to be relayed. */
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
  /** Ends it. The handler is not called any more. */
  abort(): void;
  /** The error of a connect timeout: what the connection was waiting for. */
  connectTimeout(): TransportError;
}

/** Sends a handshake to an upstream. */
export function requestTunnel(request: TunnelRequest, handler: TunnelHandler): TunnelAttempt {
  const context = new AsyncContext();
  let started: ClientRequest | undefined;
  let upstreamSocket: Socket | undefined;
  try {
    // Only checks the head: `http-proxy` and Node send a path unchanged, even with line breaks.
    writeRequestHead({ ...request, method: "GET", bodyLength: 0 });
    const socket = request.connector.open(request.address, request.tls, { alpn: ["http/1.1"] });
    upstreamSocket = socket;
    runInContext(request.run, () => {
      started = startRequest(request, socket);
    });
  } catch (error) {
    upstreamSocket?.on("error", () => {}).destroy();
    // An unusable client certificate throws too. It is reported later, like any other failure.
    const timer = setImmediate(() => context.run(handler.onError, handler, error as Error));
    return { abort: () => clearImmediate(timer), connectTimeout: () => connectTimeoutError(undefined) };
  }
  const upstreamRequest = started as unknown as ClientRequest;
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
    context.run(handler.onSwitch, handler, response.rawHeaders, new RawStream(socket, early));
  });
  return {
    abort: () => {
      aborted = true;
      upstreamRequest.destroy();
    },
    connectTimeout: () => connectTimeoutError(upstreamSocket),
  };
}

/** Connects both sides of a tunnel. `onClosed` is called once both are closed. */
export function joinTunnel(clock: Clock, client: RawStream, upstream: RawStream, onClosed: () => void): void {
  closeTogether(clock, client.stream, upstream.stream, onClosed);
  for (const { stream, early } of [client, upstream]) if (early.length > 0) stream.unshift(early);
  watchPeer(client.stream);
  upstream.stream.pipe(client.stream).pipe(upstream.stream);
}

/** Closes both sides together: after an orderly end the other side has one second; after an error it is destroyed at once. */
function closeTogether(clock: Clock, client: Duplex, upstream: Duplex, onClosed: () => void): void {
  let open = 2;
  let timer: Timer;
  const endSoon = () => {
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
    side.on("end", endSoon);
    side.on("close", () => {
      if (--open === 0) {
        clock.clearTimeout(timer);
        return onClosed();
      }
      // Data that the closed side sent last may still have to be written.
      if (!other.writableFinished) other.end();
      endSoon();
    });
  }
}

/** Closes an open tunnel with a WebSocket close frame to both sides: 1001, going away (RFC 6455 section 7.4.1). */
export function closeTunnel({ stream: client }: RawStream, { stream: upstream }: RawStream): void {
  // Further data is dropped, but has to be read so that its end is noticed.
  client.unpipe(upstream);
  upstream.unpipe(client);
  client.resume();
  upstream.resume();
  // Close frame, two bytes: 1001. A client masks what it sends, here with a mask of zeros.
  if (client.writable) client.end(Buffer.from([0x88, 0x02, 0x03, 0xe9]));
  if (upstream.writable) upstream.end(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]));
}

function startRequest(request: TunnelRequest, upstreamSocket: Socket): ClientRequest {
  // This agent does not use the protocol and the host. The socket has TLS already, if any.
  const target = { protocol: "http:", host: "upstream", port: 80, path: "/" };
  const headers = toFieldRecord([...request.headers, "connection", "Upgrade", "upgrade", "websocket"], "first");
  let started: ClientRequest | undefined;
  const capture = (upstreamRequest: ClientRequest) => {
    started = upstreamRequest;
    upstreamRequest.path = request.path;
    // Node passes it to the parser once there is a socket.
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
      noClientSocket,
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

/** In place of the client's socket: `http-proxy` only sets options of it before there is a response. */
const noClientSocket = new Socket();

/** Makes TCP detect a silent client that has gone: no idle timeout ends a tunnel. */
function watchPeer(socket: Duplex): void {
  if (!(socket instanceof Socket)) return;
  socket.setTimeout(0);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, limits.tcpKeepAliveMs);
}

/** Returns why a 101 does not answer this handshake (RFC 6455 section 4.1), if it does not. */
function mismatchOf(response: IncomingMessage, { key, responseHead }: TunnelRequest): string | undefined {
  const { upgrade, "sec-websocket-accept": accept } = response.headers;
  if (response.rawHeaders.length > responseHead.fields * 2) return "the upstream's response has too many fields";
  if (upgrade?.toLowerCase() !== "websocket") return "the upstream switched to another protocol";
  const expected = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  return accept === expected ? undefined : "the upstream's Sec-WebSocket-Accept does not match";
}
