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
  /** Milliseconds to send the last spans before the process ends. */
  tracingFlushMs: 2_000,
  /** Milliseconds between two warnings about the same problem. Its occurrences in between are counted. */
  repeatedWarningMs: 10_000,
  /** Connections to the admin API that are served at the same time, or a part of the file descriptors if they are few. */
  adminConnections: 100,
  adminDescriptorShare: 12,
  /** Milliseconds in which a request to the admin API must be received, and between two requests of a connection. */
  adminHeadersMs: 10_000,
  adminKeepAliveMs: 10_000,
  /** Milliseconds in which a connection to the admin API over the limit must send its request and receive the response. */
  adminRefusalMs: 2_000,
  /** The start logs a line if the file descriptors suffice for less than this part of `maxConnections`. */
  connectionShare: 0.9,
  /** Milliseconds between two checks for connections to the admin API whose headers are late. */
  connectionCheckMs: 1_000,
  /** Milliseconds between two warnings about a certificate that expires soon. */
  certificateCheckMs: 86_400_000,
  /** The longest delay of a timer in milliseconds. Node sets a longer one to 1. */
  longestTimerMs: 2_147_483_647,
  /** Milliseconds between two log lines with the requests in flight while the server stops. */
  drainReportMs: 5_000,
  /** Milliseconds in which requests in flight may get an error response when a stop is forced. */
  forcedEndMs: 250,
  /** Milliseconds at most between the end of the last connection and the end of the process, for the last log lines. */
  settleMs: 1_500,
  /** Upstreams whose weights of operators are remembered for a restart in place. */
  operatorWeights: 10_000,
  /** Milliseconds in which a process that replaces this one must be ready. */
  restartMs: 60_000,
  /** Milliseconds at most in which a new process gets to know the health and the members of its pools before it serves. */
  restartPreparationMs: 5_000,
  restartPollMs: 20,
  /** Milliseconds for requests to the admin API that are in progress when a new process takes over. */
  adminHandOverMs: 1_000,
  /** Milliseconds at most in which a new process leaves the admin API to the old one. */
  restartAloneMs: 5_000,
  /** Turns of the event loop in which queued connections to the admin API are accepted before its listener closes. */
  adminBacklogTurns: 10,
  /** Milliseconds between two messages with the counts of a replaced process while it drains. */
  restartCountsMs: 250,
  /** Milliseconds for a response of the admin API to a command. */
  adminCallMs: 10_000,
  /** Bytes of a response of the admin API that a command reads. */
  adminResponseBytes: 67_108_864,
  /** Milliseconds between two requests of `evenkeel top`, and at most for a response. */
  topIntervalMs: 1_000,
  topCallMs: 5_000,
  /** Milliseconds after the last response from which `evenkeel top` marks its numbers as stale. */
  topStaleMs: 3_000,
  /** The longest pause in milliseconds before `evenkeel top` connects again. */
  topReconnectMs: 5_000,
  /** Milliseconds for the response to a restart: longer than a new process may take to be ready. */
  restartCallMs: 90_000,
} as const;
