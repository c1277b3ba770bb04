/**
 * Several listeners may share the upgrades of a server, and each leaves alone what is not its own. When as many of them have
 * declined an upgrade as the server has listeners, it is served as the ordinary request that it is without a listener.
 */

import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { serveAsRequest } from "./ignored-upgrade.ts";

/** How many listeners have declined an upgrade; minus infinity once one has taken it. */
const declines = new WeakMap<IncomingMessage, number>();

/** Notes that an upgrade has been taken. */
export function claimUpgrade(req: IncomingMessage): void {
  declines.set(req, Number.NEGATIVE_INFINITY);
}

/** Whether a listener has taken the upgrade. */
export function isClaimed(req: IncomingMessage): boolean {
  return declines.get(req) === Number.NEGATIVE_INFINITY;
}

/** Notes that an upgrade is not one listener's. Served as an ordinary request when all listeners of the server have said so. */
export function declineUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { server } = req.socket as { server?: Server };
  const declined = (declines.get(req) ?? 0) + 1;
  declines.set(req, declined);
  if (server !== undefined && declined !== server.listenerCount("upgrade")) return;
  // One listener may ask several proxies in turn. When it has returned, all have been asked.
  process.nextTick(() => {
    if (!isClaimed(req)) serveAsRequest(req, socket, head);
  });
}
