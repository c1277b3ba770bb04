import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { declineUpgrade } from "evenkeel";

/** Tries to take an upgrade; false leaves it as it came. */
export type TakeUpgrade = (req: IncomingMessage, socket: Duplex, head: Buffer) => boolean;

/** The middlewares that are asked before a server's listeners are, in the order in which they came. */
const inFront = new WeakMap<Server, TakeUpgrade[]>();

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
  // Node emits nothing where nothing listens.
  server.on("upgrade", declineUpgrade);
}
