import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { onTestFinished } from "vitest";
import { WebSocketServer } from "ws";

/** An upstream that responds with its name, echoes WebSocket messages, and counts what it gets. */
export interface CountingUpstream {
  readonly name: string;
  readonly url: string;
  /** When it was probed. */
  readonly probes: readonly number[];
  /** The most requests in flight at the same time since the last reset. */
  mostInFlight: number;
}

export interface CountingUpstreamOptions {
  /** How long it takes to respond. Default: 0. */
  readonly delayMs?: number;
}

export async function startCounting(
  name: string,
  { delayMs = 0 }: CountingUpstreamOptions = {},
): Promise<CountingUpstream> {
  const probes: number[] = [];
  let inFlight = 0;
  const upstream = { name, url: "", probes, mostInFlight: 0 };
  const server = createServer((req, res) => {
    if (req.url === "/healthz") {
      probes.push(performance.now());
      return void res.end();
    }
    inFlight++;
    upstream.mostInFlight = Math.max(upstream.mostInFlight, inFlight);
    res.once("close", () => inFlight--);
    let bytes = 0;
    req.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    req.on("end", () => {
      const respond = () => res.end(`${name} ${bytes}`);
      if (delayMs === 0) respond();
      else setTimeout(respond, delayMs);
    });
  });
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const webSockets = new WebSocketServer({ server });
  webSockets.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.on("message", (data) => socket.send(String(data)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  upstream.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return upstream;
}
