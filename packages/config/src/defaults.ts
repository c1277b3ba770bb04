/** Every default and every limit of a configuration file, in one place. Docs quote them and a test holds the two together. */

export const defaults = {
  server: { listen: "127.0.0.1:8080", shutdownTimeout: "30s", maxConnections: 10_000 },
  serverTimeouts: { requestHeaders: "10s", requestBody: "30s", keepAlive: "75s" },
  admin: { listen: "127.0.0.1:9090", metrics: true },
  accessLog: { format: "json", path: "stdout" },
} as const;

export const limits = {
  /** Bytes of a configuration file. */
  fileBytes: 4_194_304,
  /** Bytes of a file of data, which may list a great many requests. */
  documentBytes: 67_108_864,
  /** Bytes of a PEM file that a configuration names. */
  pemBytes: 1_048_576,
  /** Tables and arrays within each other; the options themselves need seven. */
  depth: 64,
  /** Mistakes that an error's message spells out; the rest are counted. */
  mistakesShown: 100,
  /** Characters of a source line that an error shows, around the mistake. */
  lineWidth: 120,
  /** Milliseconds between two looks at a watched file; a change counts when two looks in a row see the same. */
  watchIntervalMs: 250,
} as const;
