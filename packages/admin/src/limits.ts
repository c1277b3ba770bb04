/** The fixed limits of the admin API. */
export const limits = {
  /** Bytes of a request's body. */
  bodyBytes: 16_384,
  /** Milliseconds from a request's head to the end of its body. */
  bodyMs: 5_000,
  /** Streams of events at the same time. */
  eventReaders: 32,
  /** Bytes that a reader of events may lag behind before it is cut off. */
  eventBacklogBytes: 262_144,
  /** Milliseconds between two signs of life on a stream of events. */
  eventHeartbeatMs: 15_000,
  /** Milliseconds after which a reader that was cut off is asked to come back. */
  eventRetryMs: 2_000,
} as const;
