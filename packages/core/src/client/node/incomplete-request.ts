import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { ErrorCode } from "../../errors.ts";

interface Receiving {
  readonly req: IncomingMessage;
  readonly onFault: (code: ErrorCode) => void;
}

/** Requests of which more is to come, by connection: on each there is at most one at a time, and it is the last. */
const receiving = new WeakMap<Duplex, Receiving>();

/** Asks to be told when the server can make nothing of the rest of a request. The last to ask is told. */
export function onParseError(req: IncomingMessage, onFault: (code: ErrorCode) => void): void {
  if (!req.complete) receiving.set(req.socket, { req, onFault });
}

/** Tells whoever answers the request that a connection has not brought whole. False when that is nobody here. */
export function reportParseError(socket: Duplex, code: ErrorCode): boolean {
  const open = receiving.get(socket);
  receiving.delete(socket);
  if (open === undefined || open.req.complete) return false;
  open.onFault(code);
  return true;
}
