/** The fixed limits of a server. */
export const limits = {
  /** Connections over the limit that get a 503 response at the same time. Further ones are closed at once. */
  refusedConnections: 256,
  /** File descriptors that are reserved for other uses than clients and upstreams. */
  ownDescriptors: 128,
  /** Milliseconds that a client connection must be idle before it may be closed to make room for a new one. */
  minIdleMs: 250,
  /** Idle connections are closed in batches: the limit divided by this number. */
  idleClosedShare: 64,
  /** Milliseconds until the next search for idle connections, after one that found none. */
  idleSearchMs: 100,
  /** Milliseconds in which a connection over the limit must send its request and receive the 503 response. */
  refusalMs: 2_000,
  /** Milliseconds without traffic on a client connection after which TCP keep-alive probes start. */
  tcpKeepAliveMs: 60_000,
  /** Milliseconds at most for accepting the connections that are queued when a stop is requested. */
  acceptRestMs: 250,
  /** Milliseconds of a turn of the event loop that is short enough to conclude that no connection is queued. */
  quietTurnMs: 1,
  /**
   * Milliseconds in which a kept-alive connection may send another request after a stop was requested. Its response says
   * `Connection: close`, so a client that is just sending a request loses nothing.
   */
  keepAliveGraceMs: 500,
  /** Milliseconds between two checks for connections that have become idle while the server stops. */
  idleCheckMs: 100,
  /** Milliseconds from the end of the last request in flight until the connections of a closing proxy are closed. */
  settleMs: 1_000,
  /** Listening sockets that systemd may pass to the process. */
  listenFds: 1_000,
  /** Milliseconds to find out whether a process accepts connections on a Unix socket. */
  socketProbeMs: 1_000,
  /** Bytes of a PROXY protocol header: fixed part, addresses and TLVs, as in nginx. */
  proxyHeaderBytes: 4_096,
  /** Milliseconds and bytes for which a client of a TLS port may continue to send after the 400 response to plain HTTP. */
  plainHttpMs: 2_000,
  plainHttpBytes: 1_048_576,
  /** Certificates of one server. */
  certificates: 1_000,
} as const;
