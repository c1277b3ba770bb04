import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { bindContext } from "../../runtime/async-context.ts";

/** Responses that are not yet their connection's turn, with what to call when the connection ends before that. */
const behind = new WeakMap<Socket, Set<() => void>>();

/**
 * Calls back once when a response is over: written whole, or its connection gone. Never during this call, and in its async
 * context: a connection that ends knows none of its requests'.
 *
 * Node's `close` alone would miss two: a client that left before anybody asked, while an app in front of the proxy was still
 * at work, and a client that left while earlier requests on its connection were waiting for their answers.
 */
export function onResponseClosed(req: IncomingMessage, res: ServerResponse, onOver: () => void): void {
  const callback = bindContext(onOver);
  const { socket } = req;
  if (res.destroyed || socket.destroyed) {
    process.nextTick(callback);
    return;
  }
  if (res.socket !== null) {
    // Told once by itself; `once` would wrap the listener to see to it.
    res.on("close", callback);
    return;
  }
  const callbacks = behind.get(socket) ?? watch(socket);
  const gone = () => {
    callbacks.delete(gone);
    res.off("close", gone);
    callback();
  };
  callbacks.add(gone);
  res.once("close", gone);
}

/** One listener for each connection, however many requests it has sent ahead. */
function watch(socket: Socket): Set<() => void> {
  const callbacks = new Set<() => void>();
  behind.set(socket, callbacks);
  socket.once("close", () => {
    for (const gone of callbacks) gone();
  });
  return callbacks;
}
