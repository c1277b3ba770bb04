import { createServer, type RequestListener } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { offersWebSocket } from "../../../src/index.ts";
import type { Serve } from "./lab.ts";

/** The core's own handlers in a plain server, with the settings that the standalone server makes too. */
export const serveCore: Serve = async (proxy, onHandOn) => {
  const server = createServer({ requireHostHeader: false, connectionsCheckingInterval: 1_000, noDelay: true });
  const sockets = new Set<Socket>();
  server.maxHeadersCount = 0;
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  for (const event of ["request", "checkExpectation"]) {
    server.on(event, (...[req, res]: Parameters<RequestListener>) => {
      onHandOn(req.socket);
      proxy.handler(req, res);
    });
  }
  for (const event of ["upgrade", "connect"]) {
    server.on(event, (...[req, socket, head]: Parameters<typeof proxy.upgrade>) => {
      // Any other offer comes back as an ordinary request, and is counted then.
      if (event === "connect" || offersWebSocket(req)) onHandOn(socket);
      proxy.upgrade(req, socket, head);
    });
  }
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => {
    server.once("listening", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
};
