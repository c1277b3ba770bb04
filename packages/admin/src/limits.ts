/** The fixed limits of the admin API. */
export const limits = {
  /** Bytes of a request's body. */
  bodyBytes: 16_384,
  /** Milliseconds from the head of a request to the end of its body. */
  bodyMs: 5_000,
  /** Event streams at the same time. */
  eventReaders: 32,
  /** Bytes of unsent events after which a slow client is disconnected. */
  eventBacklogBytes: 262_144,
  /** Events that a new reader of the stream gets first. */
  eventBacklog: 50,
  /** Milliseconds between two heartbeats on an event stream. */
  eventHeartbeatMs: 15_000,
  /** Milliseconds after which a disconnected client reconnects (the `retry` field of server-sent events). */
  eventRetryMs: 2_000,
  /** Milliseconds between the timers that measure the delay of the event loop. */
  eventLoopResolutionMs: 20,
  /** Milliseconds that the quantiles of the event loop's delay cover at least. */
  eventLoopWindowMs: 30_000,
  /** Milliseconds between two samples of the history, and at most, where samples are expensive. */
  sampleMs: 1_000,
  sampleMaxMs: 10_000,
  /** The share of a core that samples may take. */
  sampleCost: 0.01,
  /** Milliseconds that the history covers, and that rates and latencies of an overview cover. */
  historyMs: 60_000,
  trafficMs: 10_000,
  /** Upstreams with a history, in the order of the snapshot. */
  historyUpstreams: 10_000,
  /** Milliseconds of one turn of the event loop in which metrics are rendered. */
  renderMs: 5,
  /** Problems of an overview. */
  problems: 100,
  /** Sessions of browsers, of each role. Beyond it the oldest ends. */
  sessions: 100,
  /** Milliseconds after which a session ends. */
  sessionMs: 43_200_000,
  /** Wrong tokens that one address may send in `attemptWindowMs`: in the sign-in form, and as bearer tokens. */
  signInAttempts: 10,
  bearerAttempts: 100,
  attemptWindowMs: 10_000,
  /** Addresses whose wrong tokens are counted. Beyond it the oldest is forgotten. */
  attemptAddresses: 1_000,
} as const;
