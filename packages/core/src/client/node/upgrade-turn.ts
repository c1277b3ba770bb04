import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { limits } from "../../config/defaults.ts";
import { bindContext } from "../../runtime/async-context.ts";
import { isEnding } from "./lingering-close.ts";

/** A server's socket, with the response that node is writing to it. */
type ServerSocket = Duplex & { readonly _httpMessage?: ServerResponse | null };

/** Whether an earlier request on a connection still waits for the end of its response. */
export function isAnswering(socket: Duplex): boolean {
  const { _httpMessage: response } = socket as ServerSocket;
  return response !== undefined && response !== null;
}

/**
 * Calls back when every earlier request on the connection of an upgrade has been answered: at once, unless the client has
 * pipelined the upgrade. Gets what the client has sent behind the upgrade by then; undefined when the connection has ended
 * or ends with an earlier response.
 */
export function inTurn(socket: Duplex, head: Buffer, onTurn: (head: Buffer | undefined) => void): void {
  // Node has taken its own off.
  if (!socket.listeners("error").includes(ignore)) socket.on("error", ignore);
  if (!isAnswering(socket)) return onTurn(isOver(socket) ? undefined : head);
  const inContext = bindContext(onTurn);
  const pieces = [head];
  let length = head.length;
  // It is read so that the client's end is seen.
  const onData = (bytes: Buffer) => {
    pieces.push(bytes);
    length += bytes.length;
    if (length > limits.heldUpgradeBytes) socket.pause();
  };
  const onEnd = () => socket.destroy();
  const settle = (rest: Buffer | undefined) => {
    socket.off("data", onData).off("end", onEnd).off("close", onClose).pause();
    // As node hands a socket over: it flows once it is listened to or piped.
    (socket as { readableFlowing: boolean | null }).readableFlowing = null;
    inContext(rest);
  };
  const onClose = () => settle(undefined);
  const next = () => {
    // The last response may have been the connection's last.
    if (isOver(socket)) return;
    const { _httpMessage: response } = socket as ServerSocket;
    // Node emits it when it has put the next response in its place.
    if (response !== undefined && response !== null) return void response.once("close", next);
    settle(Buffer.concat(pieces));
  };
  socket.on("data", onData).on("end", onEnd).on("close", onClose);
  next();
}

function isOver(socket: Duplex): boolean {
  return socket.destroyed || socket.writableEnded || socket.readableEnded || isEnding(socket);
}

function ignore(): void {}
