import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { type ClientOptions, WebSocket } from "ws";

/** The answer that a WebSocket handshake is turned down with. */
export async function refusal(port: number, target: string, options: ClientOptions = {}): Promise<IncomingMessage> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${target}`, options);
  socket.on("error", () => {});
  const [, res] = (await once(socket, "unexpected-response")) as [unknown, IncomingMessage];
  socket.terminate();
  return res;
}
