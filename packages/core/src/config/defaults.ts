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
  upstream: { weight: 1, backup: false },
  route: { path: "/", stripPrefix: false, preserveHost: true },
  healthCheck: {
    type: "http",
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
    on: ["connect-failure", "reset"],
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
  },
  tls: { verify: true },
  /** How long `close` waits for requests in flight. */
  closeTimeout: "30s",
} as const;

export const limits = {
  /** HAProxy's range of weights. */
  maxWeight: 256,
  upstreamsPerPool: 10_000,
  retryAttempts: 10,
  /** The period that a retry budget looks back on, as in Finagle. */
  retryBudgetWindowMs: 10_000,
  /** Full jitter between these before a retry that is not a connect failure. */
  retryBackoffMinMs: 25,
  retryBackoffMaxMs: 250,
  /** While nothing in a pool can be connected, one waiting request connects again at intervals that grow between these. */
  reconnectMinMs: 50,
  reconnectMaxMs: 250,
  /** Waiting requests that go on for each connection that succeeds: their number doubles from round trip to round trip. */
  reconnectsPerSuccess: 2,
  /** Attempts of one request that its event and log line list: after these only the last one is. */
  recordedAttempts: 64,
  /** An ejection is longer by up to this share of it, so that upstreams ejected together do not come back together. */
  ejectionJitter: 0.1,
  /** Milliseconds of good behaviour that take one off the count that makes ejections longer (Envoy's interval). */
  ejectionForgivenessMs: 10_000,
  /** Milliseconds for which responsiveness is remembered: the time constant of its decay (Finagle, linkerd). */
  responsivenessMs: 10_000,
  /** Milliseconds that a failure counts as at least, so that failing fast does not look like being fast. */
  failurePenaltyMs: 1_000,
  /** Characters of a request's key that are hashed; of a longer one both ends and the length are. */
  hashKeyLength: 1_024,
  /** Cookies of the sticky one's name that are looked at. */
  stickyCookies: 8,
  /** The lowest that feedback brings a weight to, and the share that one step leaves of it. */
  feedbackFloor: 0.0625,
  feedbackStep: 0.25,
  /** Milliseconds after a change of weights by feedback in which there is no other. */
  feedbackFreezeMs: 10_000,
  /** Requests that an upstream must have served in an interval to be rated by it. */
  feedbackMinimumRequests: 10,
  /** In how many steps a slow start's share grows. */
  slowStartSteps: 100,
  /** The lowest that an announced load brings a weight to, and how many milliseconds an announcement holds. */
  announcedFloor: 0.05,
  announcedMs: 180_000,
  /** Milliseconds in which one announcement of an upstream is heeded. */
  announcedIntervalMs: 1_000,
  /** The shortest time between two lookups of members, however short their TTL, and the pause after a failed one. */
  discoveryMinMs: 1_000,
  /** A look-up comes later than it would by up to this share, so that processes do not all ask at once. */
  discoveryJitter: 0.1,
  /** Milliseconds that one look-up may take, with all the names that it leads to. */
  discoveryTimeoutMs: 5_000,
  /** Targets of SRV records that are looked up at the same time. */
  discoveryTargetsAtOnce: 32,
  /** The longest TTL that is believed, in milliseconds. */
  discoveryTtlMs: 86_400_000,
  /** Members taken from one DNS answer. */
  discoveredMembers: 1_000,
  /** Milliseconds for which a member that DNS has dropped keeps its verdict and its ejection, and how many do. */
  departedMs: 600_000,
  departedMembers: 1_000,
  /** Addresses of an upstream's name that are used. */
  dnsAddresses: 32,
  /** The shortest and the longest time for which an upstream's addresses are believed, whatever their TTL, in milliseconds. */
  dnsMinTtlMs: 1_000,
  dnsMaxTtlMs: 3_600_000,
  /** Milliseconds for which addresses are believed that came without a TTL, from getaddrinfo. */
  dnsUnknownTtlMs: 30_000,
  /** Milliseconds that the lookup of an upstream's name may take. */
  dnsTimeoutMs: 5_000,
  /** Milliseconds that the first addresses of a name wait for those of the other family (RFC 8305 section 3). */
  dnsOtherFamilyMs: 50,
  /** The first and the longest pause after a failed lookup of an upstream's name, in milliseconds. */
  dnsRetryMinMs: 1_000,
  dnsRetryMaxMs: 30_000,
  /** Milliseconds for which the addresses of an upstream's name stay in use after DNS has said that there are none. */
  dnsHoldMs: 30_000,
  /** Milliseconds after its last use for which an upstream's name is looked up again. Its addresses stay longer. */
  dnsUnusedMs: 600_000,
  /** Names of upstreams that are looked up at the same time. */
  dnsLookupsAtOnce: 128,
  /** Names of upstreams that are remembered. */
  dnsNames: 10_000,
  /** Domains that short names are completed with: as many as Kubernetes allows. */
  dnsSearchDomains: 32,
  /** Milliseconds for which addresses from the hosts file are believed. */
  hostsFileTtlMs: 2_000,
  /** Bytes that the hosts file and resolv.conf may have each. */
  localFileBytes: 4_194_304,
  /** Characters of the cause of a failed connection, in events and logs. */
  failureCauseLength: 256,
  /** Bytes and fields of the trailers of a response. */
  trailerBytes: 16_384,
  trailerFields: 200,
  /** The smallest and the largest head of a response that a pool may allow, in bytes, and the most header fields. */
  minResponseHeadBytes: 1_024,
  maxResponseHeadBytes: 262_144,
  maxResponseHeaderFields: 2_000,
  /** Bytes of all the chunk extensions of a response together. */
  chunkExtensionBytes: 16_384,
  /** Informational responses before the final one. */
  informationalResponses: 32,
  /** Streams at a time on one HTTP/2 connection, when the upstream allows more; and until its settings have come, one. */
  http2ConcurrentStreams: 250,
  /** Bytes that an HTTP/2 upstream may send ahead of its reader, for each stream and for each connection. */
  http2StreamWindowBytes: 262_144,
  http2ConnectionWindowBytes: 8_388_608,
  /** Compressed bytes and frames of one HTTP/2 header block; its fields are bounded as those of HTTP/1.1 are. */
  http2HeaderBlockBytes: 65_536,
  http2HeaderBlockFrames: 1_024,
  /** Frames without use (PING, SETTINGS, empty DATA and the like) that an HTTP/2 peer may send at once, and in each second. */
  http2IdleFrames: 1_000,
  http2IdleFramesPerSecond: 100,
  /** Streams that we reset on one HTTP/2 connection at once, and in each second, before another connection is used. */
  http2ResetStreams: 100,
  http2ResetStreamsPerSecond: 10,
  /** Bytes that wait to be written to an HTTP/2 peer that does not read, beside the bodies of requests. */
  http2QueuedBytes: 1_048_576,
  /** Milliseconds of silence, with requests in flight, after which an HTTP/2 peer is probed, and those for its PING's answer. */
  http2PingAfterMs: 360_000,
  http2PingTimeoutMs: 5_000,
  /** Milliseconds for which a busy https upstream that has chosen HTTP/1.1 is not offered HTTP/2 again. */
  alpnMemoryMs: 300_000,
  /** Bytes of a probe's answer that are looked at. */
  probeBodyBytes: 65_536,
  /** Probes that one checker runs at the same time. */
  concurrentProbes: 64,
  /** Milliseconds of silence of a tunnel's client after which TCP probes whether it is still there. */
  tcpKeepAliveMs: 60_000,
  /** Connections to upstreams that are kept for one client's connection each, since they may have authenticated it. */
  authenticatedConnections: 1_000,
  /** Milliseconds for which such a connection may be idle, unless the upstream announces less. */
  authenticatedIdleMs: 60_000,
  /** Milliseconds between the two halves of a tunnel's end. */
  tunnelEndMs: 1_000,
  /** Milliseconds that what was told to end may take before its connections are cut. */
  closeGraceMs: 1_000,
  /** Milliseconds between two warnings of the process about exceptions in the same place. */
  exceptionWarningMs: 10_000,
  /** Milliseconds between looks at whether a pool that is gone from the options has finished. */
  retireCheckMs: 1_000,
  /** Bytes of a body that are written in one piece with the head, when they are all there is. */
  joinedBodyBytes: 8_192,
  /** Milliseconds between the last bytes of an answer that broke off and the reset that says so. */
  resetDelayMs: 20,
  /** Milliseconds and bytes for which a client may go on sending after its last answer. */
  lingeringMs: 2_000,
  lingeringBytes: 4_194_304,
  /** Bytes of a chunked request's body that are not data: what a reader may read ahead, and then some for extensions. */
  chunkOverheadBytes: 81_920,
  /** Bytes beside its data that each piece of a chunked body may have on top: its size and its line ends. */
  chunkOverheadPerPiece: 24,
  /** Requests under way for one connection beside the one whose turn to be answered it is; more wait. */
  pipelinedRequests: 31,
  /** Requests that wait for their turn on one connection before no more of it is read. What has been read already comes on top. */
  pipelinedWaiting: 4_096,
  /** Bytes that are read behind an upgrade that waits for the responses to earlier requests on its connection. */
  heldUpgradeBytes: 65_536,
  /**
   * Requests of one simulation, those of a trace that are checked before the next are looked at, slots of its timelines,
   * and the steps of it in one turn of the event loop.
   */
  simulatedRequests: 10_000_000,
  requestsCheckedAtOnce: 1_000,
  simulationSlots: 3_600,
  simulationTurn: 20_000,
  /** Bytes of a request that is answered without an upstream, read so that the client sees the answer. */
  discardedBodyBytes: 65_536,
} as const;
