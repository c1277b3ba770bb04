import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { limits } from "../../config/defaults.ts";
import { bindContext } from "../../runtime/async-context.ts";
import { findConnection } from "./node-connection.ts";

/** A server's socket, with the response that Node is writing to it. */
type ServerSocket = Duplex & { readonly _httpMessage?: ServerResponse | null };

/** Whether the response to an earlier request on a connection is not finished. */
export function isResponding(socket: Duplex): boolean {
  const { _httpMessage: response } = socket as ServerSocket;
  return response !== undefined && response !== null;
}

/**
 * Calls back when the response to every earlier request on the connection of an upgrade is finished: at once, unless the client
 * has pipelined the upgrade. Passes what the client has sent behind the upgrade by then; undefined when the connection has
 * closed, or closes with an earlier response.
 */
export function inTurn(socket: Duplex, head: Buffer, onTurn: (head: Buffer | undefined) => void): void {
  // Node has taken its own off.
  if (!socket.listeners("error").includes(ignore)) socket.on("error", ignore);
  if (!isResponding(socket)) return onTurn(isOver(socket) ? undefined : head);
  const inContext = bindContext(onTurn);
  const pieces = [head];
  let length = head.length;
  // The socket is read so that the end of the connection is noticed.
  const onData = (bytes: Buffer) => {
    pieces.push(bytes);
    length += bytes.length;
    if (length > limits.heldUpgradeBytes) socket.pause();
  };
  const onEnd = () => socket.destroy();
  const settle = (rest: Buffer | undefined) => {
    socket.off("data", onData).off("end", onEnd).off("close", onClose).pause();
    // As Node hands a socket over: it flows once it has a listener or is piped.
    (socket as { readableFlowing: boolean | null }).readableFlowing = null;
    inContext(rest);
  };
  const onClose = () => settle(undefined);
  const next = () => {
    // The last response may have been the connection's last.
    if (isOver(socket)) return;
    const { _httpMessage: response } = socket as ServerSocket;
    // Node emits `close` when it has put the next response in the place of this one.
    if (response !== undefined && response !== null) return void response.once("close", next);
    settle(Buffer.concat(pieces));
  };
  socket.on("data", onData).on("end", onEnd).on("close", onClose);
  next();
}

function isOver(socket: Duplex): boolean {
  return socket.destroyed || socket.writableEnded || socket.readableEnded || findConnection(socket)?.ending === true;
}

function ignore(): void {}
