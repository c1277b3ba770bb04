/**
 * Handles `clientError` of Node's HTTP server: bytes that are no request, and heads that are not received in time. Node may emit
 * it several times for a connection, and leaves the socket to the listener.
 *
 * If the error is in the body of a request in progress, that request is refused. Otherwise the responses to earlier requests are
 * sent first, then the error response. What is received after the error is not read as HTTP.
 */

import { IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { ErrorCode } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import { overflowCode, type ParserError } from "./head-overflow.ts";
import { connectionOf, type NodeConnection } from "./node-connection.ts";
import { NodeExchange } from "./node-exchange.ts";
import { upgradeResponse } from "./upgrade-response.ts";

/** A server's socket, with the response that Node is writing to it. */
type ServerSocket = Socket & { readonly _httpMessage?: ServerResponse | null };

/** Sends an error response where no request could be read. The exchange has no method and no target. */
export type RefuseConnection = (exchange: NodeExchange, code: ErrorCode) => void;

/** Refuses, once for a connection, what is no request, and closes the connection. */
export function handleParseError(error: ParserError, duplex: Duplex, clock: Clock, refuse: RefuseConnection): void {
  const connection = connectionOf(duplex);
  const { socket } = connection;
  if (connection.faulty || connection.ending) return;
  connection.faulty = true;
  // Browsers open connections in advance; one that is never used is not an error.
  const isLost = !socket.writable || socket.bytesRead === 0;
  const code = isLost ? undefined : errorCodeOf(error, socket);
  if (code === undefined) {
    if (isLost || error.code !== "HPE_INVALID_EOF_STATE") socket.destroy();
    else afterResponses(connection, () => socket.destroy());
    return;
  }
  if (connection.failIncomplete(code)) return;
  // What is still received is dropped, or waits when it is too much, until earlier responses are sent.
  connection.dropInput(() => socket.pause());
  afterResponses(connection, () => refuseConnection(connection, clock, (exchange) => refuse(exchange, code)));
}

/** Undefined when there is no one to respond to: the connection has failed, or has ended within a request. */
function errorCodeOf(error: ParserError, socket: Socket): ErrorCode | undefined {
  const { code = "" } = error;
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return "request_timeout";
  if (code === "HPE_HEADER_OVERFLOW") return overflowCode(error, socket);
  if (code === "HPE_CHUNK_EXTENSIONS_OVERFLOW") return "body_too_large";
  if (code === "HPE_INVALID_EOF_STATE") return undefined;
  return code.startsWith("HPE_") ? "bad_request" : undefined;
}

/** Calls back when the response to every complete request is sent; never when the connection closes with one of them. */
function afterResponses(connection: NodeConnection, callback: () => void): void {
  const socket: ServerSocket = connection.socket;
  const { _httpMessage: res } = socket;
  if (socket.destroyed || connection.ending) return;
  if (res === undefined || res === null) return callback();
  if (res.req.complete) {
    res.once("close", () => afterResponses(connection, callback));
    return;
  }
  // The request is the app's, and is incomplete. A response that has begun cannot be replaced.
  if (res.headersSent) return void socket.destroy();
  detach(res, socket);
  callback();
}

/** Takes the socket from an app's response, which then looks as if its client had left. */
function detach(res: ServerResponse, socket: Socket): void {
  res.detachSocket(socket);
  socket.once("close", () => {
    res.destroyed = true;
    res.emit("close");
  });
}

/** Makes an exchange of a request of which only the peer is known. */
function refuseConnection(connection: NodeConnection, clock: Clock, refuse: (exchange: NodeExchange) => void): void {
  const { socket } = connection;
  // The last response may have been the connection's last.
  if (!socket.writable) return void socket.destroy();
  const req = new IncomingMessage(socket);
  req.httpVersion = "";
  req.httpVersionMajor = 1;
  req.httpVersionMinor = 1;
  const res = upgradeResponse(req, socket);
  if (res === undefined) return void socket.destroy();
  refuse(new NodeExchange(req, res, connection, clock));
}
