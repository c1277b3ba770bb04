import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { ProxyOptions } from "../config/options.ts";
import { createProxy, type Proxy } from "../proxy.ts";
import type { ProxySurroundings } from "../proxy-surroundings.ts";
import { TestClock } from "./test-clock.ts";

/** A proxy with its own HTTP server. */
export interface StartedProxy extends AsyncDisposable {
  readonly proxy: Proxy;
  readonly server: Server;
  readonly port: number;
  /** Without a trailing slash. */
  readonly url: string;
  /** Closes the proxy and the server at once. Requests in flight are aborted. */
  close(): Promise<void>;
}

/** Starts a proxy on a free port of 127.0.0.1. Takes the same arguments as `createProxy`. */
export async function startProxy(options: ProxyOptions, surroundings: ProxySurroundings = {}): Promise<StartedProxy> {
  const proxy = createProxy(options, surroundings);
  const server = createServer(proxy.handler)
    .on("upgrade", proxy.upgrade)
    .on("checkContinue", proxy.handler)
    .on("checkExpectation", proxy.handler)
    .on("clientError", proxy.clientError)
    .listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.close();
    const closed = proxy.close({ timeout: "0ms" });
    server.closeAllConnections();
    // Closing waits on timers, which do not run while the virtual clock does not move.
    if (surroundings.clock instanceof TestClock) await surroundings.clock.advance("5s");
    await closed;
  };
  return { proxy, server, port, url: `http://127.0.0.1:${port}`, close, [Symbol.asyncDispose]: close };
}
