/** The fixed limits of the command: buffers, waiting times and intervals. */
export const limits = {
  /** Bytes of a certificate or key file of a listener. */
  pemBytes: 1_048_576,
  /** Bytes of log lines that may wait for a slow disk or reader. Further lines are dropped and counted. */
  logBufferBytes: 16_777_216,
  /** Bytes of log lines that are gathered for one write. */
  logBlockBytes: 262_144,
  /** Milliseconds in which log lines are gathered. Too short for a reader of the log to notice. */
  logGatherMs: 50,
  /** Milliseconds to write the last log lines before the process ends. */
  logFlushMs: 2_000,
  /** Milliseconds between two warnings about the same problem. Its occurrences in between are counted. */
  repeatedWarningMs: 10_000,
  /** Upstreams whose failures are counted for warnings at the same time. */
  failingUpstreams: 1_000,
  /** Connections over the limit that get a 503 response at the same time. Further ones are closed at once. */
  refusedConnections: 256,
  /** Connections to the admin API that are served at the same time. */
  adminConnections: 100,
  /** File descriptors that are reserved for other uses than clients and upstreams. */
  ownDescriptors: 128,
  /** The start logs a line if the file descriptors suffice for less than this part of `maxConnections`. */
  connectionShare: 0.9,
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
  /** Milliseconds between two checks for connections whose headers are late. */
  connectionCheckMs: 1_000,
  /** Milliseconds at most for accepting the connections that are queued when a stop is requested. */
  acceptRestMs: 250,
  /** Milliseconds of a turn of the event loop that is short enough to conclude that no connection is queued. */
  quietTurnMs: 1,
  /**
   * Milliseconds in which a kept-alive connection may send another request after a stop was requested. Its response says
   * `Connection: close`, so a client that is just sending a request loses nothing.
   */
  keepAliveGraceMs: 500,
  /** Milliseconds between two warnings about a certificate that expires soon. */
  certificateCheckMs: 86_400_000,
  /** Milliseconds between two checks for connections that have become idle while the server stops. */
  idleCheckMs: 100,
  /** The longest delay of a timer in milliseconds. Node sets a longer one to 1. */
  longestTimerMs: 2_147_483_647,
  /** Milliseconds between two log lines with the requests in flight while the server stops. */
  drainReportMs: 5_000,
  /** Milliseconds in which requests in flight may get an error response when a stop is forced. */
  forcedEndMs: 250,
  /** Milliseconds at most between the end of the last connection and the end of the process, for the last log lines. */
  settleMs: 1_500,
  /** Milliseconds for a response of the admin API to a command. */
  adminCallMs: 10_000,
  /** Milliseconds to find out whether a process accepts connections on a Unix socket. */
  socketProbeMs: 1_000,
} as const;
