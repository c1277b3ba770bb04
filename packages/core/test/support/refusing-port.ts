import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { onTestFinished } from "vitest";

/**
 * Keeps a port of 127.0.0.1 that has no listener, so that it refuses every connection whatever else listens on this machine
 * meanwhile. Otherwise a server of another test can get it: of 20 ports given out one after another, one in 400 is a
 * repetition. Both ends of a connection of the port with itself hold it. Returns the function that gives the port up.
 *
 * To be called in the turn in which the listener is closed.
 */
export function holdPort(port: number): () => void {
  const socket = connect({ host: "127.0.0.1", port, localAddress: "127.0.0.1", localPort: port });
  // The port is bound when `connect` returns, unless something else has it.
  socket.on("error", () => {});
  return () => void socket.resetAndDestroy();
}

/** A port of 127.0.0.1 that refuses every connection until the test is over. */
export async function refusingPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  onTestFinished(holdPort(port));
  return port;
}

/** The URL of an upstream that refuses every connection. */
export async function refusingUrl(): Promise<string> {
  return `http://127.0.0.1:${await refusingPort()}`;
}
