/**
 * Several listeners may share the `upgrade` event of a server; each declines the upgrades that are not its own. When all
 * listeners of the server have declined an upgrade, it is served as an ordinary request, as without a listener.
 */

import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { serveAsRequest } from "./ignored-upgrade.ts";

/** How many listeners have declined an upgrade; minus infinity once one has taken it. */
const declines = new WeakMap<IncomingMessage, number>();

/** Marks an upgrade as taken. */
export function claimUpgrade(req: IncomingMessage): void {
  declines.set(req, Number.NEGATIVE_INFINITY);
}

/** Whether a listener has taken the upgrade. */
export function isClaimed(req: IncomingMessage): boolean {
  return declines.get(req) === Number.NEGATIVE_INFINITY;
}

/** Declines an upgrade for one listener. It is served as an ordinary request when all listeners of the server have declined. */
export function declineUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { server } = req.socket as { server?: Server };
  const declined = (declines.get(req) ?? 0) + 1;
  declines.set(req, declined);
  if (server !== undefined && declined !== server.listenerCount("upgrade")) return;
  // One listener may ask several proxies in turn. After it has returned, all of them have decided.
  process.nextTick(() => {
    if (!isClaimed(req)) serveAsRequest(req, socket, head);
  });
}
