import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { onTestFinished } from "vitest";

/**
 * A port of 127.0.0.1 that refuses every connection until the test is over, whatever else listens on this machine
 * meanwhile: it is the client's end of a connection. The system gives other ports to listeners than to clients, so that no
 * client that connects to it is given the same one.
 */
export async function refusingPort(): Promise<number> {
  const localPort = await freePort();
  const server = createServer((socket) => void socket.on("error", () => {}));
  const { port } = await listening(server);
  const socket = connect({ host: "127.0.0.1", port, localPort, localAddress: "127.0.0.1" });
  try {
    await once(socket, "connect");
  } catch (error) {
    server.close();
    // Something has taken the port in between.
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return refusingPort();
    throw error;
  }
  onTestFinished(() => {
    socket.resetAndDestroy();
    server.close();
  });
  return localPort;
}

/** The URL of an upstream that refuses every connection. */
export async function refusingUrl(): Promise<string> {
  return `http://127.0.0.1:${await refusingPort()}`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const { port } = await listening(server);
  server.close();
  await once(server, "close");
  return port;
}

async function listening(server: Server): Promise<AddressInfo> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server.address() as AddressInfo;
}
