import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { declineUpgrade } from "evenkeel";

/** Handles an upgrade, or returns false and does not touch it. */
export type UpgradeHandler = (req: IncomingMessage, socket: Duplex, head: Buffer) => boolean;

/** The handlers that run before the listeners of a server, in the order of registration. */
const prepended = new WeakMap<Server, UpgradeHandler[]>();

/** Runs a handler before the server's own listeners, which get only the upgrades that it does not take. */
export function prependUpgradeHandler(server: Server, handler: UpgradeHandler): void {
  const existing = prepended.get(server);
  if (existing !== undefined) return void existing.push(handler);
  const handlers = [handler];
  prepended.set(server, handlers);
  const emit = server.emit.bind(server) as (event: string | symbol, ...args: unknown[]) => boolean;
  server.emit = (event: string | symbol, ...args: unknown[]) => {
    const isTaken = event === "upgrade" && handlers.some((handle) => handle(...(args as Parameters<UpgradeHandler>)));
    return isTaken || emit(event, ...args);
  };
  // Node emits `upgrade` only if there is a listener.
  server.on("upgrade", declineUpgrade);
}
