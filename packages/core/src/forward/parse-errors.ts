/**
 * What a client sends that node's parser makes no request of, and heads that take too long. Node tells the server in
 * `clientError`, once or many times for a connection, and leaves the socket to whoever listens.
 *
 * The fault lies within a request that has come in part: whoever answers that one is told. Or it lies behind whole requests:
 * their answers go out first. Nothing that comes after it is read as HTTP.
 */

import { IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import createDebug from "debug";
import { overflowCode, type ParserError } from "../client/node/head-overflow.ts";
import { reportParseError } from "../client/node/incomplete-request.ts";
import { isEnding } from "../client/node/lingering-close.ts";
import { responseOn } from "../client/node/upgrade-response.ts";
import { limits } from "../config/defaults.ts";
import type { ErrorCode } from "../errors.ts";
import type { ForwardContext } from "./context.ts";
import { refuse } from "./handle-request.ts";
import { RequestRecord } from "./request-record.ts";

const debug = createDebug("evenkeel:forward");

/** A server's socket, with the response that node is writing to it. */
type ServerSocket = Socket & { readonly _httpMessage?: ServerResponse | null };

/** Connections that have had their fault; node may tell of more. */
const faulty = new WeakSet<Duplex>();

/** Answers for the server what is no request, in its turn and once, and ends the connection. */
export function handleClientError(engine: ForwardContext, error: ParserError, duplex: Duplex): void {
  const socket = duplex as ServerSocket;
  if (faulty.has(socket) || isEnding(socket)) return;
  faulty.add(socket);
  // Browsers open connections in advance; one that is never used is not an error.
  const isLost = !socket.writable || socket.bytesRead === 0;
  const code = isLost ? undefined : faultCode(error, socket);
  if (code === undefined) {
    if (isLost || error.code !== "HPE_INVALID_EOF_STATE") socket.destroy();
    else afterAnswers(socket, () => socket.destroy());
    return;
  }
  debug("no request, %s: %O", code, error);
  if (reportParseError(socket, code)) return;
  swallow(socket);
  afterAnswers(socket, () => answer(engine, socket, code));
}

/** Undefined when there is nobody left to answer: the connection has failed, or has ended within a request. */
function faultCode(error: ParserError, socket: Socket): ErrorCode | undefined {
  const { code = "" } = error;
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return "request_timeout";
  if (code === "HPE_HEADER_OVERFLOW") return overflowCode(error, socket);
  if (code === "HPE_CHUNK_EXTENSIONS_OVERFLOW") return "body_too_large";
  if (code === "HPE_INVALID_EOF_STATE") return undefined;
  return code.startsWith("HPE_") ? "bad_request" : undefined;
}

/** What still comes is dropped, or waits when it is too much, while earlier answers are on their way. */
function swallow(socket: Socket): void {
  const until = socket.bytesRead + limits.lingeringBytes;
  socket.removeAllListeners("data");
  socket.on("data", () => {
    if (socket.bytesRead > until) socket.pause();
  });
}

/** Calls back when every whole request has had its answer; never when the connection ends with one of them. */
function afterAnswers(socket: ServerSocket, callback: () => void): void {
  const { _httpMessage: res } = socket;
  if (socket.destroyed || isEnding(socket)) return;
  if (res === undefined || res === null) return callback();
  if (res.req.complete) {
    res.once("close", () => afterAnswers(socket, callback));
    return;
  }
  // The app's own, and half of it is missing. What has been said of its answer cannot be taken back.
  if (res.headersSent) return void socket.destroy();
  displace(res, socket);
  callback();
}

/** Takes the socket from an app's response, which from then on looks as if its client had left. */
function displace(res: ServerResponse, socket: Socket): void {
  res.detachSocket(socket);
  socket.once("close", () => {
    res.destroyed = true;
    res.emit("close");
  });
}

/** Nothing of the request is known but who sent it. */
function answer(engine: ForwardContext, socket: Socket, code: ErrorCode): void {
  // The last answer was the connection's last.
  if (!socket.writable) return void socket.destroy();
  const req = new IncomingMessage(socket);
  req.httpVersion = "";
  req.httpVersionMajor = 1;
  req.httpVersionMinor = 1;
  const res = responseOn(req, socket);
  if (res === undefined) return void socket.destroy();
  refuse(engine, req, res, new RequestRecord(engine, req, undefined, ""), code);
}
