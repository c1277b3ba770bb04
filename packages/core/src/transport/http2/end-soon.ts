import type { Socket } from "node:net";
import { limits } from "../../config/defaults.ts";
import type { Clock } from "../../runtime/clock.ts";

/**
 * Ends a socket, and destroys it when the other side has not ended its own in time. Destroyed at once with something unread,
 * it would reset the connection, and a last frame could be thrown away before it is read.
 */
export function endSoon(socket: Socket, clock: Clock): void {
  const timer = clock.setTimeout(() => socket.destroy(), limits.closeGraceMs);
  socket.once("close", () => clock.clearTimeout(timer));
  socket.end();
}
