/** The fixed limits of workers. */
export const workerLimits = {
  /** Connections that a worker may have been handed without having confirmed them. Decision 18 has the measurement. */
  window: 2,
  /** Milliseconds until a worker must be ready, from its start. */
  startMs: 30_000,
  /** Milliseconds between two pings of a worker, and the number of missing replies after which it counts as stalled. */
  beatMs: 1_000,
  missedBeats: 10,
  /** Milliseconds in which a worker must confirm a change. */
  confirmMs: 2_000,
  /** Milliseconds for a worker's reply to another question. Then its last counts are used. */
  replyMs: 1_000,
  /** Milliseconds between two reports of a worker's counts, and of the number of its connections. */
  reportMs: 2_000,
  connectionReportMs: 100,
  /** Messages of a worker between two pings. Each accepted connection is one. */
  messagesPerBeat: 100_000,
  /** Messages that may wait until a worker reads them. */
  unsentMessages: 10_000,
  /** Milliseconds in which a stop hands over the connections that have been accepted, checked at intervals; twice if it has to. */
  handoverMs: 2_000,
  handoverCheckMs: 5,
  /** Milliseconds in which a worker must end after its time to drain. */
  endMs: 4_000,
} as const;
