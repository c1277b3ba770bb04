import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { ProxyOptions } from "../config/options.ts";
import { createProxy, type Proxy, type ProxySurroundings } from "../proxy.ts";
import { TestClock } from "./test-clock.ts";

/** A proxy in a server of its own. */
export interface StartedProxy extends AsyncDisposable {
  readonly proxy: Proxy;
  readonly server: Server;
  readonly port: number;
  /** Without a slash at its end. */
  readonly url: string;
  /** Ends both at once, and whatever is on its way. */
  close(): Promise<void>;
}

/** Puts a proxy in a server on a free port of 127.0.0.1. Takes what `createProxy` takes. */
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
    // Closing takes a moment, which would never pass on a clock that stands still.
    if (surroundings.clock instanceof TestClock) await surroundings.clock.advance("5s");
    await closed;
  };
  return { proxy, server, port, url: `http://127.0.0.1:${port}`, close, [Symbol.asyncDispose]: close };
}
