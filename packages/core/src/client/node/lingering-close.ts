import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { limits } from "../../config/defaults.ts";
import { type Clock, systemClock } from "../../runtime/clock.ts";

/** Connections whose last answer is on its way or out: nothing on them is a request any more. */
const ending = new WeakSet<Duplex>();

/** Whether a connection has had its last answer. */
export function isEnding(socket: Duplex): boolean {
  return ending.has(socket);
}

/**
 * Ends a client's connection behind an answer that came before the end of its request.
 *
 * A connection that is closed with bytes unread is reset, and a reset makes the client's kernel throw away the answer. So our side
 * is ended first, and what the client still sends is read and dropped, within limits of time and bytes (nginx's lingering
 * close). Node closes the connection itself after such an answer, through `destroySoon`: that is where this steps in.
 */
export function lingerOnClose(socket: Socket, clock: Clock): void {
  if (ending.has(socket)) return;
  ending.add(socket);
  socket.destroySoon = () => endLingering(socket, clock);
}

/** Ends a connection behind its last answer, as `lingerOnClose` does. For adapters that answer on a bare socket. */
export function endLingering(socket: Socket, clock: Clock = systemClock): void {
  ending.add(socket);
  socket.end();
  const until = socket.bytesRead + limits.lingeringBytes;
  const timer = clock.setTimeout(() => socket.destroy(), limits.lingeringMs);
  socket.once("close", () => clock.clearTimeout(timer));
  socket.once("end", () => socket.destroy());
  // Taken away from node's parser: what comes now is nobody's request.
  socket.removeAllListeners("data");
  socket.on("data", () => {
    if (socket.bytesRead > until) socket.destroy();
  });
  socket.resume();
}
