/** Every default and every limit of a configuration file. A test compares them with the docs, which quote them. */

export const defaults = {
  server: {
    listen: "127.0.0.1:8080",
    workers: 1,
    shutdownTimeout: "30s",
    drainDelay: "0s",
    maxConnections: 10_000,
    http2: true,
    h2c: false,
  },
  serverLimits: { headBytes: "16kb", requestsPerConnection: 0, maxConcurrentStreams: 128 },
  serverTimeouts: { requestHeaders: "10s", requestBody: "30s", keepAlive: "75s" },
  admin: { listen: "127.0.0.1:9090", dashboard: true, metrics: true },
  accessLog: { format: "json", path: "stdout" },
  tracing: { sampleRatio: 1, probes: false },
} as const;

export const limits = {
  /** Bytes of a configuration file. */
  fileBytes: 4_194_304,
  /** Bytes of a file of data. A trace may list many requests. */
  documentBytes: 67_108_864,
  /** Bytes of a PEM file that a configuration names. */
  pemBytes: 1_048_576,
  /** Fields that an access log line can have in addition, and the characters of a name. */
  addedFields: 100,
  fieldNameLength: 128,
  /** Levels of nested tables and arrays. The options need seven. */
  depth: 64,
  /** Mistakes that the message of an error lists. It counts the rest. */
  mistakesShown: 100,
  /** Characters of a source line that an error shows around the mistake. */
  lineWidth: 120,
  /** Milliseconds between two polls of a watched file. A change is reported once two polls in a row see the same state. */
  watchIntervalMs: 250,
} as const;
