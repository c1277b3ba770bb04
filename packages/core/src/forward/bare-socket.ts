/** What Node leaves to whoever takes an upgrade: a bare socket without a response, a parser, or a listener for errors. */

import { type IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { errorKind } from "../errors.ts";
import type { Engine } from "./engine.ts";
import { RequestRecord } from "./request-record.ts";

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

/** An upgrade that was sent ahead, behind a request that is not answered yet, would tear its answer apart. */
export function breakOff(engine: Engine, req: IncomingMessage, socket: Duplex): void {
  const record = new RequestRecord(engine, req, undefined, "");
  record.status = errorKind("bad_request").status;
  record.error = "bad_request";
  record.finish();
  socket.destroy();
}

/** The bytes behind a request whose answer ends the connection are nobody's; its end says that the client has left. */
export function dropRest(socket: Duplex): void {
  socket.once("end", () => socket.destroy());
  socket.resume();
}
