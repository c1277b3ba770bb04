import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo, Server as NetServer, Socket } from "node:net";
import type { ProxyOptions } from "../../src/config/options.ts";
import type { RequestEvent } from "../../src/events.ts";
import { createProxy, type Proxy } from "../../src/proxy.ts";
import { leftovers } from "./start-proxy.ts";

/** What rightly differs between layers, and what an expectation may ask about. */
export interface LayerTraits {
  /**
   * Whether every refusal is the proxy's, and told as an event. With its ordinary settings, node's own server refuses a
   * missing Host and an unknown Expect; without a listener for CONNECT it cuts the connection.
   */
  readonly tellsRefusals: boolean;
  /**
   * Who answers what is routed nowhere, `OPTIONS *` included: the proxy, which tells it as an event, or the app the proxy is
   * put into.
   */
  readonly unrouted: "the proxy's" | "the app's";
  /** Who refuses a target that cannot be read: a router that decodes it gets there before the proxy, and goes on reading. */
  readonly badTargets: "the proxy's" | "the app's";
  /** An app that sets headers of its own keeps node from writing an answer's as they came: repeated ones move together. */
  readonly setsHeaders: boolean;
}

/** The proxy at work in some server: what a raw case needs to know of it. */
export interface Serving {
  readonly traits: LayerTraits;
  readonly port: number;
  /** Every request that has ended, in that order. */
  readonly requests: readonly RequestEvent[];
  /** Requests that the server has handed on, and bytes that were none; undefined where nobody counts them. */
  readonly accepted: number | undefined;
  /** Whatever is still under way, in words. */
  leftovers(): string[];
  close(): Promise<void>;
}

/** Puts a proxy with these options to work: the core's handler, a framework's, or the command's server. */
export type Layer = (options: ProxyOptions) => Promise<Serving>;

/** A server that a proxy has been put into, and that listens. */
export interface Hosted {
  readonly server: Server;
  /** Ends the app, behind the proxy and its connections. */
  readonly close?: () => Promise<unknown>;
}

const handedOn: ReadonlySet<string> = new Set([
  "request",
  "checkContinue",
  "checkExpectation",
  "upgrade",
  "connect",
  "clientError",
]);

/** A layer of this process, from what puts a proxy into a server that listens. */
export function inProcess(traits: LayerTraits, host: (proxy: Proxy) => Promise<Hosted>): Layer {
  return async (options) => {
    const proxy = createProxy(options);
    const requests: RequestEvent[] = [];
    proxy.on("request", (event) => void requests.push(event));
    const { server, close } = await host(proxy);
    const sockets = new Set<Socket>();
    let accepted = 0;
    // Not as a listener: that there is one would change what node and the adapters do.
    const emit = server.emit.bind(server) as Server["emit"];
    server.emit = (event: string, ...args: unknown[]) => {
      if (handedOn.has(event)) accepted++;
      return emit(event, ...args);
    };
    server.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
    });
    return {
      traits,
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
        await close?.();
      },
    };
  };
}

/** Listens on a free port of the loopback. */
export async function listenAnywhere<Listening extends NetServer>(server: Listening): Promise<Listening> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

/** The core's own handler in a plain server, with the settings that the command's server makes too. */
export const coreLayer: Layer = inProcess(
  { tellsRefusals: true, unrouted: "the proxy's", badTargets: "the proxy's", setsHeaders: false },
  async (proxy) => {
    const server = createServer({ requireHostHeader: false, connectionsCheckingInterval: 100, noDelay: true });
    server.maxHeadersCount = 0;
    server.on("request", proxy.handler).on("upgrade", proxy.upgrade).on("connect", proxy.upgrade);
    server.on("clientError", proxy.clientError);
    return { server: await listenAnywhere(server) };
  },
);
