import { once } from "node:events";
import { createConnection } from "node:net";
import { onTestFinished } from "vitest";

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

/** The lines of a handshake behind its request line. */
export const handshake: string = [
  "Host: localhost",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  `Sec-WebSocket-Key: ${"A".repeat(22)}==`,
  "",
  "",
].join("\r\n");
