import { once } from "node:events";
import { type AddressInfo, createConnection } from "node:net";
import Fastify, { type FastifyInstance, type FastifyServerOptions } from "fastify";
import { onTestFinished } from "vitest";

export { refusal } from "../../../core/test/support/web-socket-refusal.ts";

/** Creates an app that is closed after the test. */
export function createApp(options: FastifyServerOptions = {}): FastifyInstance {
  const app = Fastify(options) as FastifyInstance;
  onTestFinished(() => app.close());
  return app;
}

/** Listens, and returns the port. */
export async function serve(app: FastifyInstance): Promise<number> {
  await app.listen({ port: 0, host: "127.0.0.1" });
  return (app.server.address() as AddressInfo).port;
}

/** For apps whose tunnels would delay the close. */
export const closeTimeout = "0ms";

/** Sends bytes and reads until the server closes the connection. */
export async function talk(port: number, text: string): Promise<string> {
  const socket = createConnection({ port, host: "127.0.0.1" }).on("error", () => {});
  onTestFinished(() => void socket.destroy());
  socket.write(text);
  let response = "";
  socket.on("data", (chunk: Buffer) => {
    response += chunk.toString("latin1");
  });
  await once(socket, "close");
  return response;
}

export const handshake = [
  "Host: localhost",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  `Sec-WebSocket-Key: ${"A".repeat(22)}==`,
  "",
  "",
].join("\r\n");
