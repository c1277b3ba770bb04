import { readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { Http1ServerConnection } from "../../src/client/http1/http1-server-connection.ts";
import type { RequestSink } from "../../src/client/server/request-sink.ts";
import type { ServerLimits } from "../../src/client/server/server-limits.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { type Clock, systemClock } from "../../src/runtime/clock.ts";
import { listenAnywhere } from "./layers.ts";
import { serverLimits } from "./server-limits.ts";

export interface OwnServerOptions {
  readonly secure?: boolean;
  readonly limits?: Partial<ServerLimits>;
  readonly clock?: Clock;
  readonly refusal?: ErrorCode;
}

export interface OwnServer {
  readonly port: number;
  readonly server: Server;
  readonly connections: ReadonlySet<Http1ServerConnection>;
  close(): void;
}

const certificates = new URL("../support/certs/", import.meta.url);

/** A listener whose connections are HTTP/1 connections of our own. */
export async function ownServer(sink: RequestSink, options: OwnServerOptions = {}): Promise<OwnServer> {
  const { secure = false, limits, clock = systemClock, refusal } = options;
  const connections = new Set<Http1ServerConnection>();
  const sockets = new Set<Socket>();
  const accept = (socket: Socket | TLSSocket) => {
    sockets.add(socket);
    const connection = new Http1ServerConnection(socket, {
      sink,
      clock,
      limits: { ...serverLimits, ...limits },
      remoteAddress: socket.remoteAddress,
      encrypted: secure,
      early: undefined,
      refusal,
      onClosed: () => {
        connections.delete(connection);
        sockets.delete(socket);
      },
    });
    connections.add(connection);
  };
  const server = secure
    ? createTlsServer({ ...certificate(), allowHalfOpen: true } as object, accept)
    : createServer({ allowHalfOpen: true, noDelay: true }, accept);
  await listenAnywhere(server);
  return {
    port: (server.address() as AddressInfo).port,
    server,
    connections,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function certificate(): { readonly cert: Buffer; readonly key: Buffer } {
  const read = (name: string) => readFileSync(new URL(name, certificates));
  return { cert: read("localhost.crt"), key: read("localhost.key") };
}
