import type { Duplex } from "node:stream";
import { limits } from "../../config/defaults.ts";
import type { Clock } from "../../runtime/clock.ts";

/** Resets a connection. Some readers, Node among them, take a reset that arrives together with data for an orderly end. */
export function resetAfterData(socket: Duplex & { resetAndDestroy?: () => unknown }, clock: Clock): void {
  socket.pause();
  clock.setTimeout(() => {
    try {
      if (socket.resetAndDestroy === undefined) socket.destroy();
      else socket.resetAndDestroy();
    } catch {
      // Only TCP has a reset. Over TLS the missing close alert says the same; a unix socket has nothing like it.
      socket.destroy();
    }
  }, limits.resetDelayMs);
}
