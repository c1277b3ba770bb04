/**
 * An upgrade that no listener takes is an ordinary request (RFC 9110 section 7.8). Node, however, detaches its parser from every
 * connection that offers one, once the server has an `upgrade` listener. So the connection is passed to the server again with
 * the bytes of the request in front, without the Upgrade header. The server parses it under its own limits: the body, Expect,
 * pipelined requests and keep-alive are those of any other request.
 *
 * `server.shouldUpgradeCallback` of newer versions of Node is no substitute. When it declines an upgrade, the parser stops
 * behind the request and loses the rest of what it has read: the next request of a client that pipelines has no response, and
 * the client takes the response to the request after it for its own.
 */

import { type IncomingMessage, type Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { continueExpectation } from "../../http1/expect-continue.ts";
import { endLingering } from "./node-connection.ts";
import { inTurn } from "./upgrade-turn.ts";

/** A socket as Node's HTTP server marks it. */
type ServerSocket = Socket & { readonly server?: Server; readonly encrypted?: boolean };

/** The number of strings in `rawHeaders` behind which Node drops header fields, if the server has no `maxHeadersCount`. */
const defaultHeaderStrings = 2_000;

/** Node 26 reads the body of a request that offers an upgrade; earlier versions leave it on the socket. */
const readsBodies = Number.parseInt(process.versions.node, 10) >= 26;

/** Whether a request offers a WebSocket: a GET over HTTP/1.1 whose Upgrade header names it. */
export function offersWebSocket({ method, httpVersionMinor, headers }: IncomingMessage): boolean {
  return method === "GET" && httpVersionMinor === 1 && /(?:^|[\s,])websocket(?:$|[\s,/])/i.test(headers.upgrade ?? "");
}

/**
 * Serves an upgrade as an ordinary request of its server: what an `upgrade` listener is given goes to the listeners of
 * `request`, once earlier requests on the connection have their responses. The request has no Upgrade header. One that offers a
 * WebSocket is the last on its connection: what the client sends after it is not HTTP.
 *
 * `target` is the request's target as the client sent it. Default: `req.url`.
 */
export function serveAsRequest(
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  target: string = req.url ?? "",
): void {
  inTurn(socket, head, (rest) => {
    if (rest === undefined) return;
    const { server } = req.socket as ServerSocket;
    if (server === undefined || server.listenerCount("request") === 0) return respond(req, socket, "404 Not Found");
    // Node emits a stream in place of the socket while it reads the body.
    if (socket !== req.socket) return serveWhileReceiving(server, req);
    const bytes = encode(req, target, server.maxHeadersCount);
    if (bytes === undefined) return respond(req, socket, "431 Request Header Fields Too Large");
    // The keep-alive timeout of an earlier response. The server sets its own.
    req.socket.setTimeout?.(0);
    const hasBody = req.headers["transfer-encoding"] !== undefined || req.headers["content-length"] !== undefined;
    socket.unshift(hasBody || !offersWebSocket(req) ? Buffer.concat([bytes, rest]) : bytes);
    connect(server, req.socket);
  });
}

/** Passes a connection to the server's parser, and to no other listener: those have received it before. */
function connect(server: Server, socket: ServerSocket): void {
  const secure = socket.encrypted === true && server.listenerCount("secureConnection") > 0;
  const event = secure ? "secureConnection" : "connection";
  const own = server.listeners(event).find(({ name }) => name === "connectionListener");
  if (own === undefined) server.emit(event, socket);
  else own.call(server, socket);
}

/**
 * The request as received, without its Upgrade header and not longer than it was. Undefined when Node may have dropped header
 * fields, or when a value has a line break, which lenient parsers accept: fields that frame the body could be lost.
 */
function encode(req: IncomingMessage, target: string, maxHeadersCount: number | null): Buffer | undefined {
  const { method, httpVersion, rawHeaders } = req;
  const known = maxHeadersCount === null ? defaultHeaderStrings : maxHeadersCount * 2 || Infinity;
  if (rawHeaders.length >= known || /[\r\n\0]/.test(rawHeaders.join("")) || /[\s\0]/.test(target)) return undefined;
  const last = offersWebSocket(req);
  let text = `${method} ${target} HTTP/${httpVersion}\r\n`;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    const lower = name.toLowerCase();
    if (lower !== "upgrade" && !(last && lower === "connection")) text += `${name}:${rawHeaders[index + 1]}\r\n`;
  }
  text += last ? "Connection:close\r\n\r\n" : "\r\n";
  return Buffer.concat([Buffer.from(text, "latin1"), encodeBody(req)]);
}

/** What Node has read of the body: all of it, or nothing. */
function encodeBody(req: IncomingMessage): Buffer {
  if (!readsBodies) return Buffer.alloc(0);
  const chunks: Buffer[] = [];
  for (let chunk = req.read() as Buffer | null; chunk !== null; chunk = req.read()) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  if (req.headers["transfer-encoding"] === undefined) return body;
  const { rawTrailers } = req;
  let end = body.length > 0 ? "\r\n0\r\n" : "0\r\n";
  for (let index = 0; index < rawTrailers.length; index += 2) {
    end += `${rawTrailers[index]}:${rawTrailers[index + 1]}\r\n`;
  }
  const size = body.length > 0 ? `${body.length.toString(16)}\r\n` : "";
  return Buffer.concat([Buffer.from(size), body, Buffer.from(`${end}\r\n`, "latin1")]);
}

/** Serves the request itself, whose body is still to be received. The connection closes after the response. */
function serveWhileReceiving(server: Server, req: IncomingMessage): void {
  const res = lastResponse(req);
  // Node does this for the requests that it serves itself.
  req.socket.once("close", () => {
    if (!req.complete) req.destroy(Object.assign(new Error("aborted"), { code: "ECONNRESET" }));
  });
  if (!continueExpectation.test(req.headers.expect ?? "")) return void server.emit("request", req, res);
  if (server.emit("checkContinue", req, res)) return;
  res.writeContinue();
  server.emit("request", req, res);
}

function lastResponse(req: IncomingMessage): ServerResponse {
  const { socket } = req;
  const res = new ServerResponse(req);
  res.shouldKeepAlive = false;
  res.assignSocket(socket);
  socket.on("error", () => socket.destroy());
  socket.on("drain", () => res.emit("drain"));
  res.on("finish", () => endLingering(socket));
  return res;
}

function respond(req: IncomingMessage, socket: Duplex, status: string): void {
  socket.write(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
  endLingering(req.socket);
}
