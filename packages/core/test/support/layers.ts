import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { ProxyOptions } from "../../src/config/options.ts";
import { createProxy, type Proxy } from "../../src/create-proxy.ts";
import type { RequestEvent } from "../../src/events.ts";
import { leftovers } from "./start-proxy.ts";

/** The proxy at work in some server: what a raw case needs to know of it. */
export interface Serving {
  readonly port: number;
  /** Every request that has ended, in that order. */
  readonly requests: readonly RequestEvent[];
  /** Requests that the server has handed on, refused bytes not included; undefined where nobody counts them. */
  readonly accepted: number | undefined;
  /** Whatever is still under way, in words. */
  leftovers(): string[];
  close(): Promise<void>;
}

/** Puts a proxy with these options to work: the core's handler, a framework's, or a process of its own. */
export type Layer = (options: ProxyOptions) => Promise<Serving>;

/** A layer of this process, from what puts a proxy into a server that listens. */
function inProcess(listen: (proxy: Proxy) => Promise<Server>): Layer {
  return async (options) => {
    const proxy = createProxy(options);
    const requests: RequestEvent[] = [];
    proxy.on("request", (event) => void requests.push(event));
    const server = await listen(proxy);
    const sockets = new Set<Socket>();
    let accepted = 0;
    for (const event of ["request", "upgrade", "connect"]) server.on(event, () => void accepted++);
    server.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
    });
    return {
      port: (server.address() as AddressInfo).port,
      requests,
      get accepted() {
        return accepted;
      },
      leftovers: () => [...leftovers(proxy), ...(sockets.size > 0 ? [`${sockets.size} client sockets`] : [])],
      close: async () => {
        server.close();
        await proxy.close({ timeout: "0ms" });
        for (const socket of sockets) socket.destroy();
      },
    };
  };
}

/** The proxy in a plain server, with the settings that the standalone server makes too. */
async function listenAsTheCliDoes(proxy: Proxy): Promise<Server> {
  const server = createServer({ requireHostHeader: false, connectionsCheckingInterval: 100, noDelay: true });
  server.maxHeadersCount = 0;
  server.on("request", proxy.handler).on("upgrade", proxy.upgrade).on("connect", proxy.upgrade);
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => {
    server.once("listening", resolve);
  });
  return server;
}

/** The core's own handler. */
export const coreLayer: Layer = inProcess(listenAsTheCliDoes);
