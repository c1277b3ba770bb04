import type { Socket } from "node:net";
import { Http1ServerConnection } from "../client/http1/http1-server-connection.ts";
import { Http2ServerConnection } from "../client/http2/http2-server-connection.ts";
import type { ServerConnection, ServerConnectionOptions } from "../client/server/server-connection.ts";

type CreateConnection = (socket: Socket, options: ServerConnectionOptions) => ServerConnection;

/** Creates the connection of a socket on which HTTP begins. */
export interface Protocols {
  readonly http1: CreateConnection;
  readonly http2: CreateConnection;
}

export const protocols: Protocols = {
  http1: (socket, options) => new Http1ServerConnection(socket, options),
  http2: (socket, options) => new Http2ServerConnection(socket, options),
};
