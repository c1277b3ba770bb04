import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { onTestFinished } from "vitest";
import type { ProxyOptions } from "../../src/config/options.ts";
import type { RequestEvent } from "../../src/events.ts";
import { createProxy, type Proxy } from "../../src/proxy.ts";
import type { Server, ServerChanges } from "../../src/server/server.ts";

/** A proxy that listens itself. */
export interface ServedTestProxy {
  readonly proxy: Proxy;
  readonly server: Server;
  readonly port: number;
  readonly url: string;
  /** Every request that has ended. */
  readonly requests: RequestEvent[];
}

/** Lets a proxy listen on a free port until the end of the test. */
export async function serve(options: ProxyOptions, serverOptions: ServerChanges = {}): Promise<ServedTestProxy> {
  const proxy = createProxy(options);
  const requests: RequestEvent[] = [];
  proxy.on("request", (event) => void requests.push(event));
  onTestFinished(() => proxy.close({ timeout: "0ms" }));
  const server = await proxy.listen("127.0.0.1:0", serverOptions);
  const [url = ""] = server.urls;
  return { proxy, server, port: Number(new URL(url).port), url, requests };
}

/** A client that sends exact bytes and collects what it receives. */
export class BytesClient {
  readonly socket: Socket;
  received = "";
  /** Resolves when the connection is closed. */
  readonly closed: Promise<unknown>;

  constructor(socket: Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => void socket.once("close", resolve));
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      this.received += chunk.toString("latin1");
    });
    onTestFinished(() => void socket.destroy());
  }

  /** Resolves once the received bytes match, or the connection is closed. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.received)) {
      const more = await Promise.race([once(this.socket, "data"), this.closed.then(() => undefined)]);
      if (more === undefined) break;
    }
    return this.received;
  }
}

export async function connectTo(port: number, bytes: string | Buffer = ""): Promise<BytesClient> {
  const socket = connect(port, "127.0.0.1");
  const client = new BytesClient(socket);
  await once(socket, "connect");
  socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  return client;
}

/** A finished TLS handshake. */
export async function secureTo(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const target = options.socket === undefined ? { port, host: "127.0.0.1" } : {};
  const socket = connectTls({ ...target, rejectUnauthorized: false, ...options });
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  return socket;
}
