import { type IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

/**
 * Makes a response on the socket of an upgrade, for which Node provides neither a response nor listeners for errors. The
 * connection closes after the response. Undefined while an earlier response on the connection is not finished.
 */
export function upgradeResponse(req: IncomingMessage, upgraded: Duplex): ServerResponse | undefined {
  // While the request has a body, Node emits a stream of its own in place of the socket, which fails with it.
  const { socket } = req;
  for (const stream of new Set([socket, upgraded])) stream.on("error", () => {});
  const res = new ServerResponse(req);
  res.shouldKeepAlive = false;
  try {
    res.assignSocket(socket);
  } catch {
    return undefined;
  }
  socket.on("drain", () => res.emit("drain"));
  res.on("finish", () => {
    res.detachSocket(socket);
    socket.destroySoon();
    process.nextTick(() => res.emit("close"));
  });
  return res;
}
