import type { Socket } from "node:net";
import type { Clock } from "../../runtime/clock.ts";
import { limits } from "../limits.ts";

const body = "This port speaks HTTPS: send the request over TLS.\n";

const response = [
  "HTTP/1.1 400 Bad Request",
  "Content-Type: text/plain; charset=utf-8",
  `Content-Length: ${body.length}`,
  "Connection: close",
  "",
  body,
].join("\r\n");

/**
 * Sends a 400 response to a client that has sent plain HTTP to a TLS port, like nginx with its status 497. What it still sends
 * is read and dropped within limits: unread bytes would reset the connection, and the client would lose the response.
 */
export function respondToPlainHttp(socket: Socket, clock: Clock): void {
  const end = () => void socket.destroy();
  const timer = clock.setTimeout(end, limits.plainHttpMs);
  socket.once("close", () => clock.clearTimeout(timer));
  socket.once("end", end);
  socket.on("data", () => {
    if (socket.bytesRead > limits.plainHttpBytes) end();
  });
  socket.end(response);
}
