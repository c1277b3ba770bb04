/** Every fixed limit of the command: buffers, waits and periods. */
export const limits = {
  /** Bytes of a certificate or key file of a listener. */
  pemBytes: 1_048_576,
  /** Bytes of log lines that may wait for a slow disk or reader; what comes on top is dropped and counted. */
  logBufferBytes: 16_777_216,
  /** Milliseconds that the last log lines get to be written before the process ends. */
  logFlushMs: 2_000,
  /** Milliseconds between two warnings about the same trouble; what happens between is counted. */
  repeatedWarningMs: 10_000,
  /** Upstreams whose failures are counted for warnings at one time. */
  failingUpstreams: 1_000,
  /** Connections over the limit that are told so at one time; those on top are closed at once. */
  turnedAwayConnections: 256,
  /** Connections to the admin API that are served at a time. */
  adminConnections: 100,
  /** File descriptors that are kept for everything but clients and upstreams. */
  ownDescriptors: 128,
  /** The part of `maxConnections` that has to fit into the file descriptors for the start to say nothing. */
  connectionShare: 0.9,
  /** Milliseconds that a connection of a client has to be idle before it may be closed to make room for another. */
  minIdleMs: 250,
  /** Idle connections are closed by this part of the limit at a time. */
  idleClosedShare: 64,
  /** Milliseconds until idle connections are searched for again when there was none. */
  idleSearchMs: 100,
  /** Milliseconds that a connection over the limit may take to ask, and to read that it is turned away. */
  turnAwayMs: 2_000,
  /** Milliseconds of silence on a client's connection after which TCP probes whether the client is still there. */
  tcpKeepAliveMs: 60_000,
  /** Milliseconds between two looks at connections whose headers are late. */
  connectionCheckMs: 1_000,
  /** Milliseconds at most for taking in the connections that have queued up by the time a stop is asked for. */
  acceptRestMs: 250,
  /** Milliseconds of a turn of the event loop in which hardly any connection can have come unseen. */
  quietTurnMs: 1,
  /**
   * Milliseconds that a kept-alive connection may still bring another request after a stop was asked for. It is told
   * to close with the answer, so a client that is just about to send loses nothing.
   */
  keepAliveGraceMs: 500,
  /** Milliseconds between two warnings of a certificate that expires soon. */
  certificateCheckMs: 86_400_000,
  /** Milliseconds between two looks for connections that have become idle while the server stops. */
  idleCheckMs: 100,
  /** Milliseconds that a timer can wait at most; node cuts anything longer down to nothing. */
  longestTimerMs: 2_147_483_647,
  /** Milliseconds between two reports of what a stopping server still waits for. */
  drainReportMs: 5_000,
  /** Milliseconds that what is under way gets to end in its own words when a stop is forced. */
  forcedEndMs: 250,
  /** Milliseconds at most between the end of everything and the end of the process, for what is noted last. */
  settleMs: 1_500,
  /** Milliseconds for an answer of the admin API to the commands that ask it. */
  adminCallMs: 10_000,
  /** Milliseconds to find out whether anybody answers on a Unix socket. */
  socketProbeMs: 1_000,
} as const;
