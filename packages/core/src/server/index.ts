/** A server for clients that speaks HTTP/1.1 and HTTP/2 without Node's HTTP server. */

export type {
  CertificateOptions,
  ServerLimitOptions,
  ServerOptions,
  ServerTimeoutOptions,
  ServerTlsOptions,
} from "../config/options/server-options.ts";
export { createServer, type ListenOptions, type ServedProxy, type Server, type ServerChanges } from "./server.ts";
export type { ServerEvents, ServerStatus } from "./server-events.ts";
export { type FindInherited, type InheritedSocket, ReceivedSockets } from "./sockets/inherited-socket.ts";
export { type Binding, type ListeningHandle, listen } from "./sockets/listen.ts";
export { ListenError } from "./sockets/listen-error.ts";
export { type ListenFd, parseListenFds } from "./sockets/listen-fds.ts";
export { SocketAcceptor, type SocketAcceptorEvents, type SocketAcceptorOptions } from "./sockets/socket-acceptor.ts";
export { SystemdSockets } from "./sockets/systemd-sockets.ts";
