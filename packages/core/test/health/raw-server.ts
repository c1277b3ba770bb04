import * as net from "node:net";
import * as tls from "node:tls";
import { expect, onTestFinished } from "vitest";
import type { HealthCheckOptions, PoolOptions, TlsOptions } from "../../src/config/options.ts";
import { resolveHealthCheck, resolvePool } from "../../src/config/resolve.ts";
import { type ProbeResult, probe } from "../../src/health/probe.ts";
import { resolveRuntime } from "../../src/runtime/runtime.ts";
import { Connector } from "../../src/transport/connector.ts";

export interface RawServer {
  readonly port: number;
  /** Resolves once all connections so far have closed, with their number. */
  closed(): Promise<number>;
}

/** Starts a socket server, with or without TLS, on a free port or on a path. */
export async function serve(
  onSocket: (socket: net.Socket) => void,
  { path, tlsOptions }: { path?: string; tlsOptions?: tls.TlsOptions } = {},
): Promise<RawServer> {
  const sockets = new Set<net.Socket>();
  const closings: Promise<void>[] = [];
  const accept = (socket: net.Socket) => {
    sockets.add(socket);
    closings.push(new Promise((resolve) => socket.once("close", () => resolve())));
    socket.on("error", () => {});
    onSocket(socket);
  };
  const server = tlsOptions === undefined ? net.createServer(accept) : tls.createServer(tlsOptions, accept);
  await new Promise<void>((resolve) => {
    if (path === undefined) server.listen(0, "127.0.0.1", resolve);
    else server.listen(path, resolve);
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => void server.close(() => resolve()));
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    closed: async () => (await Promise.all(closings)).length,
  };
}

/** A socket handler that reads the head of a request and then calls `respond`. */
export function answering(respond: (socket: net.Socket, head: string) => void): (socket: net.Socket) => void {
  return (socket) => {
    let head = "";
    socket.on("data", (bytes) => {
      const before = head;
      head += bytes.toString("latin1");
      if (!before.includes("\r\n\r\n") && head.includes("\r\n\r\n")) respond(socket, head);
    });
  };
}

export interface ProbeOptions extends Pick<PoolOptions, "connections"> {
  readonly check?: HealthCheckOptions;
  readonly tlsOptions?: TlsOptions;
  readonly signal?: AbortSignal;
}

/** Probes a URL, with a timeout of five seconds. */
export function run(
  url: string,
  { check = {}, tlsOptions = {}, connections = {}, signal }: ProbeOptions = {},
): Promise<ProbeResult> {
  const pool = resolvePool({ upstreams: [url], tls: tlsOptions, connections });
  const upstream = pool.upstreams[0];
  if (upstream === undefined) throw new Error("no upstream");
  const deadline = signal ?? AbortSignal.timeout(5_000);
  return probe(upstream.address, resolveHealthCheck(check), pool.tls, {
    signal: deadline,
    connector: new Connector(),
    connections: pool.connections,
    runtime: resolveRuntime(),
  });
}

/** Probes a server that responds with the given bytes, and returns the result. */
export async function runAgainst(response: string | Buffer, check: HealthCheckOptions = {}): Promise<ProbeResult> {
  const server = await serve(answering((socket) => socket.end(response)));
  const result = await run(`http://127.0.0.1:${server.port}`, { check });
  expect(await server.closed()).toBe(1);
  return result;
}

export function response(status: string, body = ""): string {
  return `HTTP/1.1 ${status}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** Writes until the socket is destroyed. */
export function flood(socket: net.Socket, bytes: string): void {
  const write = () => {
    while (!socket.destroyed && socket.write(bytes));
  };
  socket.on("drain", write);
  write();
}
