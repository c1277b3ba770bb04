import type { Socket } from "node:net";
import { limits } from "../../config/defaults.ts";
import type { Clock } from "../../runtime/clock.ts";

/**
 * Ends a socket, and destroys it if the other side does not end in time. Destroying it at once with unread data would reset
 * the connection, and the peer could lose our last frame.
 */
export function closeGracefully(socket: Socket, clock: Clock): void {
  const timer = clock.setTimeout(() => socket.destroy(), limits.closeGraceMs);
  socket.once("close", () => clock.clearTimeout(timer));
  socket.end();
}
