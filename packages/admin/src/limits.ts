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
  /** Milliseconds between two heartbeats on an event stream. */
  eventHeartbeatMs: 15_000,
  /** Milliseconds after which a disconnected client reconnects (the `retry` field of server-sent events). */
  eventRetryMs: 2_000,
  /** Milliseconds between the timers that measure the delay of the event loop. */
  eventLoopResolutionMs: 20,
  /** Milliseconds that the quantiles of the event loop's delay cover at least. */
  eventLoopWindowMs: 30_000,
} as const;
