/**
 * The file that `evenkeel init` writes: a working configuration, with all other settings commented out.
 *
 * `# text` explains a setting. `#key = value` is a setting that is commented out, with its default or an example. A test
 * removes the marks and validates the whole file.
 */
export const starterConfig = `# The configuration of Evenkeel. Validate it with "evenkeel check", serve it with "evenkeel run".
#
# Durations are written "250ms", "5s", "2m" or "1h", sizes "64kb" or "10mb". \${NAME} in a string is the environment
# variable NAME, \${NAME:-text} has a default. Relative paths are relative to this file. A setting behind a "#" shows
# its default, or an example if it has none.

# Addresses or networks of proxies in front of this one, whose X-Forwarded-* headers are trusted.
#trustedProxies = ["10.0.0.0/8"]
# Sends the standard Forwarded header (RFC 7239) to upstreams too.
#forwarded = false
# The maximum number of header fields of a request.
#maxHeaders = 200
# The minimum rate of a request's body in bytes per second. 0 is no minimum, for clients that stream slowly on purpose.
#requestBodyMinRate = 240
# How long a response may wait for a client that does not read it.
#sendTimeout = "60s"
# The upper bounds of the buckets of the histograms of latency.
#latencyBuckets = ["5ms", "25ms", "100ms", "500ms", "2.5s", "10s"]

[server]
# "host:port", ":port" for all addresses of the machine, "[::1]:port", "unix:/run/evenkeel.sock", or an array of them.
listen = "127.0.0.1:8080"
# The number of processes that serve, or "auto" for one for each core.
#workers = 1
# How long to serve after SIGTERM, with /readyz at 503, before the listeners close. Load balancers in front need it.
#drainDelay = "0s"
# How long requests in flight may take to finish after that.
#shutdownTimeout = "30s"
# Client connections at the same time.
#maxConnections = 10000

# HTTP/2 for TLS clients that offer it, and with prior knowledge without TLS.
#http2 = true
#h2c = false
# Load balancers in front that send the PROXY protocol, by address or network.
#proxyProtocol = ["10.0.0.0/8"]

# HTTPS. SIGHUP reloads the files. "run --watch" reloads them when they change.
#[server.tls]
#cert = "certs/site.pem"
#key = "certs/site.key"

# Another certificate, for the names in it. There may be several.
#[[server.tls.certificates]]
#cert = "certs/other.pem"
#key = "certs/other.key"

#[server.limits]
# The largest head of a request.
#headBytes = "16kb"
# The number of requests after which a connection closes. 0 is no limit.
#requestsPerConnection = 0
# The most streams that are open at the same time on an HTTP/2 connection.
#maxConcurrentStreams = 128

#[server.timeouts]
# For the headers of a request to arrive.
#requestHeaders = "10s"
# Between two bytes of a request's body.
#requestBody = "30s"
# How long an idle client connection stays open.
#keepAlive = "75s"

# The dashboard, health, metrics, and changes at runtime, for "evenkeel status" and Prometheus. Off without this table.
[admin]
listen = "127.0.0.1:9090"
# Required for any address but a loopback one. Clients send it as a bearer token.
#token = "\${EVENKEEL_TOKEN:-change-me}"
# A second token, for clients that may read everything and change nothing.
#readToken = "\${EVENKEEL_READ_TOKEN:-may-read}"
#dashboard = true
# Hosts that a request without the token may name in its Host header, in addition to the address above and loopback names.
#hosts = ["evenkeel.internal"]
#metrics = true

[accessLog]
# One line per request: "json", "combined" (NCSA), or "none".
format = "json"
# "stdout", "stderr", or a file, which SIGUSR1 and SIGHUP reopen.
#path = "stdout"
#[accessLog.fields]
# The names of the Elastic Common Schema ("ecs") or of OpenTelemetry ("otel").
#preset = "ecs"
#remove = ["referer"]
#rename = { durationMs = "took" }
#add = { service = "edge" }

# Traces of requests by OpenTelemetry, sent by OTLP over HTTP. Without this table nothing is traced.
#[tracing]
#endpoint = "http://127.0.0.1:4318/v1/traces"
#headers = { x-api-key = "\${OTLP_API_KEY:-change-me}" }
#serviceName = "evenkeel"
# The share of new traces that is recorded.
#sampleRatio = 1
# Records health checks too.
#probes = false

# The first route that matches a request selects the pool. Without routes all requests go to the only pool.
[[routes]]
# Exact names, or names with one leading "*.". Every host when left out.
#host = ["example.com", "*.example.com"]
# Whole segments: "/api" matches /api and /api/x, not /apix.
path = "/"
# Every method when left out.
#methods = ["GET", "HEAD", "POST"]
pool = "app"
# Removes the path of the route before the request is forwarded.
#stripPrefix = false
# Adds this in front of the path.
#addPrefix = "/v2"
# false sets the Host header to the upstream's own host.
#preserveHost = true
# A larger body gets a 413 response. No limit when left out.
#maxBodySize = "10mb"
#[routes.requestHeaders]
#set = { "X-Env" = "prod" }
#remove = ["X-Debug"]
#[routes.responseHeaders]
#set = { "Strict-Transport-Security" = "max-age=31536000" }
#remove = ["X-Powered-By"]

# Defaults for every pool: any setting of a pool but its upstreams.
#[defaults]
#retry = { attempts = 1 }

[pools.app]
# "p2c" picks the less busy of two random upstreams; also "round-robin", "least-requests", "random".
#balance = "p2c"
# What "hash" hashes: "client-ip", "path", "header:NAME", "cookie:NAME" or "query:NAME". Without it, by weight.
#hashOn = "client-ip"
# For "hash": skips an upstream with more than this multiple of its share of requests in flight, as in 1.5. 0 is never.
#hashBalanceFactor = 0
# When no upstream is available: "use-all" tries all of them, "fail" responds with 503 at once.
#panic = "use-all"

[[pools.app.upstreams]]
url = "http://127.0.0.1:3001"
# Its name in logs and metrics, host:port of the URL when left out.
#id = "a"
# Its share relative to the others, 0 to 256. 0 gets no new clients.
#weight = 1
# true: it gets requests only when no other upstream is available.
#backup = false
# Its maximum number of requests in flight. No limit when left out.
#maxInFlight = 200

[[pools.app.upstreams]]
url = "http://127.0.0.1:3002"

# Upstreams from DNS, instead of the ones above or in addition to them.
#[pools.app.discovery]
# "dns" for A and AAAA records, "srv" for SRV records with their ports, weights and priorities.
#type = "dns"
#name = "app.internal"
# The default port of the scheme when left out: 80 or 443.
#port = 3000
#scheme = "http"
# The longest time between two lookups. Records with a shorter TTL are looked up sooner.
#refresh = "30s"
# How long upstreams stay in the pool after DNS has returned no records for the name.
#hold = "30s"
# "4" or "6" for addresses of one family only.
#family = "any"
# The DNS servers of the system when left out.
#servers = ["10.0.0.2", "127.0.0.1:8600"]

# Probes every upstream. Without this table only failing requests show that an upstream is down.
[pools.app.healthCheck]
# "http" requests a path, "tcp" only connects, "grpc" asks the health service of a gRPC server.
#type = "http"
path = "/"
#method = "GET"
#headers = { Host = "app.internal" }
# The upstream's own when left out. "http" is for a plain management port of an https app.
#scheme = "http"
#port = 9000
#interval = "5s"
# The interval before the first result, and while the health is about to change.
#fastInterval = "1s"
#timeout = "2s"
# Consecutive successes until an upstream is healthy, and consecutive failures until it is unhealthy.
#healthyThreshold = 2
#unhealthyThreshold = 3
# Varies the interval randomly by this share.
#jitter = 0.1
#expectStatus = ["200-399"]
# Text in the first 64 KiB of the body, or a regular expression between slashes.
#expectBody = "ok"
# "checking": the upstream gets no requests before its first successful probe.
#initialState = "up"

# Ejects upstreams that keep failing requests for some time. In force without this table too. To turn it off, write
# "outlierDetection = false" in [pools.app].
#[pools.app.outlierDetection]
# Consecutive failures until an upstream is ejected. 0 is never.
#consecutiveFailures = 5
# The share of failed requests at which it is ejected, within the window and after a minimum of requests. 0 is never.
#failureRatio = 0.5
#window = "10s"
#minimumRequests = 20
# How long the first ejection lasts. Each further one is longer by the same time, up to the maximum.
#baseEjectionTime = "30s"
#maxEjectionTime = "5m"
# The share of the pool that may be ejected at the same time. One always may if another one stays. 0 is never.
#maxEjectionPercent = 50
# The statuses that count as failures, in addition to failed connections and missing responses.
#failureStatuses = ["500-599"]

# Raises the share of a new or recovered upstream gradually. Off when left out.
#[pools.app.slowStart]
#window = "30s"
# The share that it starts with, in percent of its full share.
#minWeightPercent = 10

# Adjusts weights to the performance of upstreams. Off when left out.
#[pools.app.weights]
# "feedback" uses failures and latency, "announced" only the load that upstreams announce.
#mode = "feedback"
#interval = "10s"
# A response header in which an upstream may announce its load, 0 to 1.
#header = "x-evenkeel-load"

# Sends each client to the upstream of its first response, by a cookie. Off when left out.
#[pools.app.sticky]
# The name of the cookie. Each pool has its own.
#cookie = "evenkeel"
# Signs the cookie. Use the same on every replica. Without one, the cookie is valid only for this process.
#secret = "\${STICKY_SECRET:-at least 8 characters}"
# The lifetime from the first response on. The browser's session when left out.
#ttl = "1h"
# When the upstream of a client is not available: "redistribute" selects another one, "fail" responds with 503.
#onMissing = "redistribute"

# Retries after a failure. After a connect failure a request always fails over to the other upstreams.
#[pools.app.retry]
# Retries after the first attempt: first at upstreams that were not tried, then at those that failed.
#attempts = 3
# May include "timeout" and statuses such as "503" too.
#on = ["connect-failure", "reset", "grpc-unavailable"]
#methods = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]
# The share of requests that may be retried, and the retries per second that are always allowed.
#budget = 0.2
#minRetriesPerSecond = 10
# Bodies up to this size are buffered for a retry.
#bodyBuffer = "64kb"
# For one attempt, up to the response's headers. None when left out.
#perTryTimeout = "10s"
# If no upstream can be connected, requests wait and reconnect until the outage has lasted this long. "0s" fails at once.
#connectFor = "2s"

#[pools.app.timeouts]
#connect = "3s"
# From the end of the request to the headers of the response.
#headers = "30s"
# Between two bytes of a response. Event streams and WebSockets may be idle.
#idle = "60s"
# The whole request with all its attempts. "0s" is no limit.
#total = "0s"

# Requests that wait while every upstream has maxInFlight.
#[pools.app.queue]
#max = 100
#timeout = "5s"

#[pools.app.connections]
# Connections to each upstream. 0 is no limit.
#max = 0
# How long an idle connection stays open. It must be shorter than the upstream's own timeout.
#keepAlive = "4s"
# A connection is replaced after this time, so that it follows a changed DNS name, or after this many requests.
#maxAge = "5m"
#maxRequests = 0
# true uses HTTP/2 with https upstreams that offer it; "h2c" also with http upstreams.
#http2 = false
# An HTTP/2 connection with requests in flight that is silent for this long gets a PING, and is closed without a reply.
#pingInterval = "6m"
#pingTimeout = "5s"

# For https upstreams. Their certificates are verified.
#[pools.app.tls]
#ca = "certs/ca.pem"
#cert = "certs/client.pem"
#key = "certs/client.key"
#servername = "app.internal"
#verify = true
`;
