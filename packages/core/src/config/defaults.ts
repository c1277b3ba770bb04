/** Every default and every fixed limit. The docs quote them, and tests check that the docs agree. */

export const defaults = {
  balance: "p2c",
  hashOn: "client-ip",
  hashBalanceFactor: 0,
  panic: "use-all",
  closeTunnelsWhen: [],
  trustedProxies: [],
  forwarded: false,
  maxHeaders: 200,
  requestBodyTimeout: "30s",
  requestBodyMinRate: 240,
  sendTimeout: "60s",
  /** The buckets of Prometheus, two lower ones for responses in under 5 ms, and two higher ones. */
  latencyBuckets: [
    "1ms",
    "2.5ms",
    "5ms",
    "10ms",
    "25ms",
    "50ms",
    "100ms",
    "250ms",
    "500ms",
    "1s",
    "2.5s",
    "5s",
    "10s",
    "30s",
    "60s",
  ],
  upstream: { weight: 1, backup: false },
  route: { path: "/", stripPrefix: false, preserveHost: true },
  healthCheck: {
    type: "http",
    service: "",
    path: "/",
    method: "GET",
    interval: "5s",
    fastInterval: "1s",
    timeout: "2s",
    healthyThreshold: 2,
    unhealthyThreshold: 3,
    jitter: 0.1,
    expectStatus: ["200-399"],
    initialState: "up",
  },
  outlierDetection: {
    consecutiveFailures: 5,
    failureRatio: 0.5,
    window: "10s",
    minimumRequests: 20,
    baseEjectionTime: "30s",
    maxEjectionTime: "5m",
    maxEjectionPercent: 50,
    failureStatuses: ["500-599"],
  },
  slowStart: { window: "30s", minWeightPercent: 10 },
  sticky: { cookie: "evenkeel", onMissing: "redistribute" },
  weights: { mode: "feedback", interval: "10s", header: "x-evenkeel-load" },
  discovery: { type: "dns", scheme: "http", refresh: "30s", hold: "30s", family: "any" },
  retry: {
    attempts: 3,
    on: ["connect-failure", "reset", "grpc-unavailable"],
    methods: ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"],
    budget: 0.2,
    minRetriesPerSecond: 10,
    bodyBuffer: "64kb",
    perTryTimeout: "0s",
    connectFor: "2s",
  },
  timeouts: { connect: "3s", headers: "30s", idle: "60s", total: "0s" },
  queue: { max: 100, timeout: "5s" },
  connections: {
    max: 0,
    keepAlive: "4s",
    maxAge: "5m",
    maxRequests: 0,
    maxResponseHeaderSize: "16kb",
    maxResponseHeaders: 200,
    http2: false,
    pingInterval: "6m",
    pingTimeout: "5s",
  },
  tls: { verify: true },
  /** Of `createServer`. */
  server: { http2: true, h2c: false, maxConnections: 10_000 },
  serverLimits: { headBytes: "16kb", minBodyRate: 240, requestsPerConnection: 0, maxConcurrentStreams: 128 },
  serverTimeouts: { requestHeaders: "10s", keepAlive: "75s", send: "60s" },
  /** How long `close` waits for requests in flight. */
  closeTimeout: "30s",
} as const;

export const limits = {
  latencyBuckets: 30,
  /** Weights are 0 to this, as in HAProxy. */
  maxWeight: 256,
  upstreamsPerPool: 10_000,
  retryAttempts: 10,
  /** The window of a retry budget, as in Finagle. */
  retryBudgetWindowMs: 10_000,
  /** The random pause before a retry after another failure than a connect failure. */
  retryBackoffMinMs: 25,
  retryBackoffMaxMs: 250,
  /** The longest pause before a retry that a gRPC upstream may ask for; if it asks for more, the call is not retried. */
  retryPushbackMs: 5_000,
  /** The interval at which one waiting request connects again during an outage of its pool. It grows from the first to the second. */
  reconnectMinMs: 50,
  reconnectMaxMs: 250,
  /** The number of waiting requests that continue after each successful connection, so that it doubles each round trip. */
  reconnectsPerSuccess: 2,
  /** The most attempts of a request in its event and log line. The last attempt replaces the last of them. */
  recordedAttempts: 64,
  /** Failed requests that are kept for `proxy.recentFailures()`. */
  recentFailures: 100,
  /** Those of them that failed because of their client. */
  recentClientFailures: 20,
  /** Characters of each text in them. */
  recordedText: 256,
  /** An ejection is longer by a random share up to this, so that upstreams ejected together are not readmitted together. */
  ejectionJitter: 0.1,
  /** Milliseconds without an ejection that reduce the ejection count by one. The count makes ejections longer (as in Envoy). */
  ejectionForgivenessMs: 10_000,
  /** The time constant in milliseconds with which responsiveness decays, as in Finagle and linkerd. */
  responsivenessMs: 10_000,
  /** The least latency in milliseconds that a failure counts as, so that a fast failure is not a fast response. */
  failurePenaltyMs: 1_000,
  /** The most characters of a hash key that are hashed. Of a longer key, both ends and the length are hashed. */
  hashKeyLength: 1_024,
  /** The most cookies with the name of the affinity cookie that are checked in a request. */
  stickyCookies: 8,
  /** The lowest feedback factor, and the factor of one step down. */
  feedbackFloor: 0.0625,
  feedbackStep: 0.25,
  /** Milliseconds after a change by feedback without another change. */
  feedbackFreezeMs: 10_000,
  /** The fewest requests of an upstream in an interval for which feedback rates it. */
  feedbackMinimumRequests: 10,
  /** The number of steps of a slow start. */
  slowStartSteps: 100,
  /** The lowest factor of an announced load, and the milliseconds for which an announcement is valid. */
  announcedFloor: 0.05,
  announcedMs: 180_000,
  /** The least milliseconds between two announcements of an upstream that take effect. */
  announcedIntervalMs: 1_000,
  /** The shortest time between two discovery lookups, whatever the TTL, and the first pause after a failed one. */
  discoveryMinMs: 1_000,
  /** A discovery lookup is delayed by a random share up to this, so that processes do not all look up at once. */
  discoveryJitter: 0.1,
  /** The timeout of a discovery lookup in milliseconds, including the targets of SRV records. */
  discoveryTimeoutMs: 5_000,
  /** The most targets of SRV records that are looked up at the same time. */
  discoveryTargetsAtOnce: 32,
  /** The longest TTL that is used, in milliseconds. */
  discoveryTtlMs: 86_400_000,
  /** The most upstreams from one discovery lookup. */
  discoveredMembers: 1_000,
  /** Milliseconds for which the verdict and the ejection of an upstream that has left DNS are kept, and of how many. */
  departedMs: 600_000,
  departedMembers: 1_000,
  /** The most addresses of an upstream's name that are used. */
  dnsAddresses: 32,
  /** The range in milliseconds to which the TTL of an upstream's addresses is clamped. */
  dnsMinTtlMs: 1_000,
  dnsMaxTtlMs: 3_600_000,
  /** The TTL in milliseconds of addresses from getaddrinfo, which reports none. */
  dnsUnknownTtlMs: 30_000,
  /** The timeout of the lookup of an upstream's name, in milliseconds. */
  dnsTimeoutMs: 5_000,
  /** Milliseconds for which the first addresses of a name wait for those of the other family (RFC 8305 section 3). */
  dnsOtherFamilyMs: 50,
  /** The first and the longest pause after a failed lookup of an upstream's name, in milliseconds. */
  dnsRetryMinMs: 1_000,
  dnsRetryMaxMs: 30_000,
  /** Milliseconds for which the addresses of an upstream's name stay in use after NXDOMAIN or a response without records. */
  dnsHoldMs: 30_000,
  /** Milliseconds after the last use of an upstream's name until its lookups stop. Its addresses stay known. */
  dnsUnusedMs: 600_000,
  /** The most names of upstreams that are looked up at the same time. */
  dnsLookupsAtOnce: 128,
  /** The most names of upstreams whose addresses are cached. */
  dnsNames: 10_000,
  /** The most search domains for short names, as in Kubernetes. */
  dnsSearchDomains: 32,
  /** The TTL in milliseconds of addresses from the hosts file. */
  hostsFileTtlMs: 2_000,
  /** The largest size in bytes of the hosts file and of resolv.conf. */
  localFileBytes: 4_194_304,
  /** The most characters of the cause of a failed connection, in events and logs. */
  failureCauseLength: 256,
  /** The most bytes and fields of the trailers of a response. */
  trailerBytes: 16_384,
  trailerFields: 200,
  /** The range of `connections.maxResponseHeaderSize` in bytes, and the largest `connections.maxResponseHeaders`. */
  minResponseHeadBytes: 1_024,
  maxResponseHeadBytes: 262_144,
  maxResponseHeaderFields: 2_000,
  /** The most bytes of all chunk extensions of a response together. */
  chunkExtensionBytes: 16_384,
  /** The most informational responses before the final response. */
  informationalResponses: 32,
  /** The most concurrent streams on an HTTP/2 connection, if the upstream allows as many. Before its SETTINGS it is one. */
  http2ConcurrentStreams: 250,
  /** The flow control windows in bytes that an HTTP/2 upstream gets, per stream and per connection. */
  http2StreamWindowBytes: 262_144,
  http2ConnectionWindowBytes: 8_388_608,
  /**
   * The flow control window in bytes of an HTTP/2 connection of a client. What is received is given back at once: the windows of
   * the streams bound what is held. A stream has 64 KB; while its body is read, so many of them have as much as one of an upstream.
   */
  http2ClientWindowBytes: 1_048_576,
  http2ExtraWindows: 16,
  /** The rate limit of streams on a client's HTTP/2 connection that end without a response: burst, and per second. */
  http2AbandonedStreams: 500,
  http2AbandonedStreamsPerSecond: 50,
  /** The most bytes of frames that wait for an HTTP/2 client until nothing more is read from it. */
  http2HeldOutputBytes: 262_144,
  /** The most compressed bytes and frames of an HTTP/2 header block. Its fields have the same limits as those of HTTP/1.1. */
  http2HeaderBlockBytes: 65_536,
  http2HeaderBlockFrames: 1_024,
  /** The rate limit of frames without payload (PING, SETTINGS, empty DATA and others) from an HTTP/2 peer: burst, and per second. */
  http2IdleFrames: 1_000,
  http2IdleFramesPerSecond: 100,
  /** The rate limit of streams that we reset on an HTTP/2 connection: burst, and per second. Beyond it another one is used. */
  http2ResetStreams: 100,
  http2ResetStreamsPerSecond: 10,
  /** The most bytes queued for an HTTP/2 peer that does not read, without the bodies of requests. */
  http2QueuedBytes: 1_048_576,
  /** Milliseconds for which a busy https upstream that has negotiated HTTP/1.1 is not offered HTTP/2 again. */
  alpnMemoryMs: 300_000,
  /** The most bytes that a probe reads of a response body. */
  probeBodyBytes: 65_536,
  /** The most probes in flight of one health checker. */
  concurrentProbes: 64,
  /** Milliseconds without data from a tunnel's client until TCP keep-alive probes it. */
  tcpKeepAliveMs: 60_000,
  /** The most upstream connections that are reserved for one client connection each, because they may be authenticated. */
  authenticatedConnections: 1_000,
  /** Milliseconds for which a reserved connection may be idle, unless the upstream announces less. */
  authenticatedIdleMs: 60_000,
  /** Milliseconds from the end of one side of a tunnel to the close of the other. */
  tunnelEndMs: 1_000,
  /** Milliseconds from asking requests and tunnels to end until their connections are destroyed. */
  closeGraceMs: 1_000,
  /** The least milliseconds between two process warnings about exceptions with the same `where`. */
  exceptionWarningMs: 10_000,
  /** Milliseconds between two log entries about a problem that lasts. The last interval repeats. */
  logIntervalsMs: [10_000, 60_000, 600_000, 3_600_000] as readonly number[],
  /** Milliseconds after which a problem that occurs again is logged at once. */
  logCalmMs: 600_000,
  /** Milliseconds from the failure of a pool's first upstream to each reminder. The last interval repeats. */
  logRemindersMs: [60_000, 600_000, 3_600_000] as readonly number[],
  /** Changes that are logged one by one before they are summarized: of an upstream, and of all upstreams of a pool. */
  logUpstreamChanges: 10,
  logPoolChanges: 200,
  /** Upstreams, pools or hooks whose changes or failures are counted for the log at the same time. */
  loggedSources: 10_000,
  /** Upstreams that a log entry about a pool names. */
  loggedUpstreams: 5,
  /** The interval in milliseconds at which a removed pool is checked for requests in flight. */
  retireCheckMs: 1_000,
  /** The largest complete body in bytes that is written together with its head. */
  joinedBodyBytes: 8_192,
  /** Milliseconds from the last bytes of a truncated response to the reset of its connection. */
  resetDelayMs: 20,
  /** The most milliseconds and bytes for which a client may continue to send after its last response (lingering close). */
  lingeringMs: 2_000,
  lingeringBytes: 4_194_304,
  /** The most bytes of a chunked request body that are not data: the read-ahead, and a margin for chunk extensions. */
  chunkOverheadBytes: 81_920,
  /** The bytes of chunk size and line ends that each chunk may have in addition to that. */
  chunkOverheadPerPiece: 24,
  /** The most pipelined requests in flight on a connection, in addition to the one whose response is sent. More wait. */
  pipelinedRequests: 31,
  /** The number of pipelined requests waiting on a connection at which reading stops. Those already read come in addition. */
  pipelinedWaiting: 4_096,
  /** The bytes of a response that waits for the responses to earlier requests at which the upstream is paused. */
  heldResponseBytes: 65_536,
  /** The bytes of request bodies that wait to be forwarded at which a client's connection is no longer read. */
  heldRequestBytes: 65_536,
  /** Milliseconds after the end of a client's side until it is checked that the client still reads. */
  halfClosedMs: 20,
  /** The most bytes read after an upgrade request that waits for the responses to earlier requests on its connection. */
  heldUpgradeBytes: 65_536,
  /**
   * The most requests of a simulation, requests of a trace that are checked at a time, slots of a timeline, and steps in one
   * turn of the event loop.
   */
  simulatedRequests: 10_000_000,
  simulatedWorkers: 256,
  requestsCheckedAtOnce: 1_000,
  simulationSlots: 3_600,
  simulationTurn: 20_000,
  /** The most bytes of a request body that are read and discarded after a locally generated response, so that the client receives it. */
  discardedBodyBytes: 65_536,
} as const;
