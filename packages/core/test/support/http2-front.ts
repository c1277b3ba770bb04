import { type AddressInfo, createServer, type Socket } from "node:net";
import { expect, onTestFinished } from "vitest";
import { Http2ServerConnection } from "../../src/client/http2/http2-server-connection.ts";
import type { ServerLimits } from "../../src/client/server/server-limits.ts";
import type { ErrorCode } from "../../src/errors.ts";
import type { RequestEvent } from "../../src/events.ts";
import type { ProxyOptions } from "../../src/index.ts";
import { createProxy, type Proxy } from "../../src/proxy.ts";
import type { ProxySurroundings } from "../../src/proxy-surroundings.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { Conditions } from "./conditions.ts";
import { serverLimits } from "./server-limits.ts";
import { leftovers } from "./start-proxy.ts";

export interface Http2Front {
  readonly proxy: Proxy;
  readonly port: number;
  readonly connections: readonly Http2ServerConnection[];
  /** Connections that have closed. */
  readonly closed: number;
  readonly requests: readonly RequestEvent[];
  /** Resolves as soon as the condition holds; it is looked at with each request and connection that ends. */
  until(condition: () => boolean): Promise<void>;
}

export interface FrontOptions {
  readonly limits?: Partial<ServerLimits>;
  /** The clock of the connections. */
  readonly clock?: Clock;
  readonly surroundings?: ProxySurroundings;
  readonly refusal?: ErrorCode;
}

/** A proxy behind HTTP/2 with prior knowledge. When the test is over it is closed, and has to be clean. */
export async function startHttp2Front(options: ProxyOptions, own: FrontOptions = {}): Promise<Http2Front> {
  const proxy = createProxy(options, own.surroundings);
  const conditions = new Conditions();
  const connections: Http2ServerConnection[] = [];
  const requests: RequestEvent[] = [];
  const sockets = new Set<Socket>();
  const state = { closed: 0 };
  proxy.on("request", (event) => {
    requests.push(event);
    conditions.check();
  });
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    const connection = new Http2ServerConnection(socket, {
      sink: proxy.requests,
      clock: own.clock ?? systemClock,
      limits: { ...serverLimits, ...own.limits },
      early: undefined,
      remoteAddress: socket.remoteAddress,
      encrypted: false,
      refusal: own.refusal,
      onClosed: () => {
        state.closed++;
        sockets.delete(socket);
        conditions.check();
      },
    });
    connections.push(connection);
    conditions.check();
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => {
    server.once("listening", resolve);
  });
  onTestFinished(async () => {
    server.close();
    await proxy.close({ timeout: "0ms" });
    for (const socket of sockets) socket.destroy();
    expect(leftovers(proxy)).toEqual([]);
  });
  return {
    proxy,
    port: (server.address() as AddressInfo).port,
    connections,
    get closed() {
      return state.closed;
    },
    requests,
    until: (condition) => conditions.until(condition),
  };
}
