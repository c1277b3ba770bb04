/**
 * Several listeners may share a server's upgrades, and each leaves alone what is not its own. Somebody has to notice an
 * upgrade that nobody wants: when as many middlewares as there are listeners have declined it, it is handed to the app as
 * the ordinary request that it would be if nobody listened for upgrades.
 */

import { type IncomingMessage, type Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { endLingering } from "evenkeel";

/** A socket as node's HTTP server marks it: with its server, and with the response that is being written to it. */
type ServerSocket = Socket & { readonly server?: Server; readonly _httpMessage?: ServerResponse | null };

/** Tries to take an upgrade; false leaves it as it came. */
export type TakeUpgrade = (req: IncomingMessage, socket: Duplex, head: Buffer) => boolean;

/** Who is asked before a server's listeners are, in the order in which they came. */
const inFront = new WeakMap<Server, TakeUpgrade[]>();

/** How many middlewares have declined an upgrade; minus infinity when one has taken it. */
const declines = new WeakMap<IncomingMessage, number>();

/** Notes that the upgrade has found its middleware. */
export function claimUpgrade(req: IncomingMessage): void {
  declines.set(req, Number.NEGATIVE_INFINITY);
}

/** Whether a middleware has taken the upgrade. */
export function isClaimed(req: IncomingMessage): boolean {
  return declines.get(req) === Number.NEGATIVE_INFINITY;
}

/** Asks before the server's own listeners, which see only what is not taken. */
export function putInFront(server: Server, take: TakeUpgrade): void {
  const takers = inFront.get(server);
  if (takers !== undefined) return void takers.push(take);
  const asked = [take];
  inFront.set(server, asked);
  const emit = server.emit.bind(server) as (event: string | symbol, ...args: unknown[]) => boolean;
  server.emit = (event: string | symbol, ...args: unknown[]) => {
    const isTaken = event === "upgrade" && asked.some((ask) => ask(...(args as Parameters<TakeUpgrade>)));
    return isTaken || emit(event, ...args);
  };
  // Node asks nobody where nobody listens.
  server.on("upgrade", declineUpgrade);
}

/** Takes off the socket what the proxy has put there to answer with before it found no route: others may want to. */
export function releaseSocket(req: IncomingMessage, socket: Duplex): void {
  const { _httpMessage: response } = socket as ServerSocket;
  if (response?.req === req) response.detachSocket(socket as Socket);
}

/** Notes that the upgrade is none of one middleware's. */
export function declineUpgrade(req: IncomingMessage, socket: Duplex): void {
  const { server } = socket as ServerSocket;
  const declined = (declines.get(req) ?? 0) + 1;
  declines.set(req, declined);
  if (server === undefined || declined !== server.listenerCount("upgrade")) return;
  // One listener may ask several middlewares in turn; when it has returned, all have spoken.
  process.nextTick(() => {
    if (!isClaimed(req)) server.emit("request", req, responseOn(req, socket as Socket));
  });
}

/** Whether the client has sent the upgrade before it had the answer to an earlier request on the same connection. */
export function isPipelined(req: IncomingMessage, socket: Duplex): boolean {
  const { _httpMessage: response } = socket as ServerSocket;
  return response !== undefined && response !== null && response.req !== req;
}

/** Node hands an upgrade over as a bare socket; the connection ends with an ordinary answer. */
function responseOn(req: IncomingMessage, socket: Socket): ServerResponse {
  const res = new ServerResponse(req);
  res.shouldKeepAlive = false;
  res.assignSocket(socket);
  socket.on("error", () => socket.destroy());
  socket.on("drain", () => res.emit("drain"));
  res.on("finish", () => endLingering(socket));
  return res;
}
