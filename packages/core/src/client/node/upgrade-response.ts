/** What Node leaves to whoever takes an upgrade: a bare socket without a response, a parser, or a listener for errors. */

import { type IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

/**
 * Makes a response to an upgrade, for an ordinary answer, which ends the connection. Undefined while the answer to an earlier
 * request is still on its way there.
 */
export function responseOn(req: IncomingMessage, upgraded: Duplex): ServerResponse | undefined {
  // While the request has a body, Node gives out a stream of its own in the socket's place, which fails with it.
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
