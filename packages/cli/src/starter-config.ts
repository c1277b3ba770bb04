/**
 * What `evenkeel init` writes: a configuration that works, with everything else that may be said beside it.
 *
 * `# text` explains; `#key = value` is a setting that is not in force, with its default or an example. A test takes
 * those marks away and checks the whole.
 */
export const starterConfig = `# Evenkeel's configuration. Check it with "evenkeel check", serve it with "evenkeel run".
#
# Durations are written "250ms", "5s", "2m" or "1h", sizes "64kb" or "10mb". \${NAME} in a string is the environment
# variable NAME, \${NAME:-text} has a default. Relative paths are relative to this file. A setting behind a "#" shows
# its default, or an example where there is none.

# Addresses or networks of proxies in front of this one, whose X-Forwarded-* headers are believed.
#trustedProxies = ["10.0.0.0/8"]
# Also tell upstreams who asked by the standard Forwarded header (RFC 7239).
#forwarded = false
# Header fields that a request may have.
#maxHeaders = 200
# Bytes a second that a request's body has to keep up. 0 is none, for clients that stream slowly on purpose.
#requestBodyMinRate = 240
# How long a client may leave a response lying that waits for it.
#sendTimeout = "60s"

[server]
# "host:port", ":port" for every address of the machine, "[::1]:port", "unix:/run/evenkeel.sock", or an array of them.
listen = "127.0.0.1:8080"
# How long requests under way may take to finish after SIGTERM.
#shutdownTimeout = "30s"
# Connections of clients at the same time.
#maxConnections = 10000

# HTTPS. SIGHUP reads the files again, and "run --watch" when they change.
#[server.tls]
#cert = "certs/site.pem"
#key = "certs/site.key"

#[server.timeouts]
# For a request's headers to come in.
#requestHeaders = "10s"
# Between two parts of a request's body.
#requestBody = "30s"
# How long an idle connection of a client is kept.
#keepAlive = "75s"

# Health, metrics and changes at runtime, for "evenkeel status" and for Prometheus. Leave the table out to do without.
[admin]
listen = "127.0.0.1:9090"
# Needed for any address but a loopback one. Callers send it as a bearer token.
#token = "\${EVENKEEL_TOKEN:-change-me}"
# Hosts that a request without the token may name in its Host header, beside the address above and loopback names.
#hosts = ["evenkeel.internal"]
#metrics = true

[accessLog]
# One line a request: "json", "combined" as of NCSA, or "none".
format = "json"
# "stdout", "stderr", or a file, which SIGUSR1 and SIGHUP open again.
#path = "stdout"

# Who gets what: the first route that matches. Without routes everything goes to the only pool.
[[routes]]
# Exact names, or one leading "*.". Every host when left out.
#host = ["example.com", "*.example.com"]
# Whole segments: "/api" matches /api and /api/x, not /apix.
path = "/"
# Every method when left out.
#methods = ["GET", "HEAD", "POST"]
pool = "app"
# Takes the path off the front before the request goes on.
#stripPrefix = false
# Puts this in front of the path instead.
#addPrefix = "/v2"
# false lets the upstream see its own host in the Host header.
#preserveHost = true
# More is answered 413. No limit when left out.
#maxBodySize = "10mb"
#[routes.requestHeaders]
#set = { "X-Env" = "prod" }
#remove = ["X-Debug"]
#[routes.responseHeaders]
#set = { "Strict-Transport-Security" = "max-age=31536000" }
#remove = ["X-Powered-By"]

# What holds for every pool that does not say otherwise: anything below but the upstreams.
#[defaults]
#retry = { attempts = 1 }

[pools.app]
# "p2c" takes the less busy of two drawn by chance; also "round-robin", "least-requests", "random".
#balance = "p2c"
# What "hash" hashes: "client-ip", "path", "header:NAME", "cookie:NAME" or "query:NAME". Without it, by weight.
#hashOn = "client-ip"
# For "hash": passes over an upstream with more than this multiple of its share in flight, as in 1.5. 0 never does.
#hashBalanceFactor = 0
# When no upstream is available: "use-all" tries them nevertheless, "fail" answers 503 at once.
#panic = "use-all"

[[pools.app.upstreams]]
url = "http://127.0.0.1:3001"
# Its name in logs and metrics, host:port of the URL when left out.
#id = "a"
# Its share beside the others, 0 to 256. 0 takes no new clients.
#weight = 1
# true keeps it for when no other is available.
#backup = false
# Requests that it gets at the same time. No limit when left out.
#maxInFlight = 200

[[pools.app.upstreams]]
url = "http://127.0.0.1:3002"

# Upstreams found in DNS, instead of those above or beside them.
#[pools.app.discovery]
# "dns" for A and AAAA records, "srv" for SRV records with their ports, weights and priorities.
#type = "dns"
#name = "app.internal"
# That of the scheme when left out: 80 or 443.
#port = 3000
#scheme = "http"
# The longest time between two lookups. Records with a shorter TTL are looked up sooner.
#refresh = "30s"
# How long upstreams stay after DNS has said that the name has none.
#hold = "30s"
# "4" or "6" for addresses of one kind alone.
#family = "any"
# The system's when left out.
#servers = ["10.0.0.2", "127.0.0.1:8600"]

# Asks every upstream how it is. Without this table only failing requests tell.
[pools.app.healthCheck]
# "http" asks for a path, "tcp" only connects.
#type = "http"
path = "/"
#method = "GET"
#headers = { Host = "app.internal" }
# The upstream's own when left out: "http" for a plain management port beside an https app.
#scheme = "http"
#port = 9000
#interval = "5s"
# Before the first verdict, and while it is about to change.
#fastInterval = "1s"
#timeout = "2s"
# Successes in a row that bring an upstream back, failures in a row that take it out.
#healthyThreshold = 2
#unhealthyThreshold = 3
# Spreads the probes by this share of the interval.
#jitter = 0.1
#expectStatus = ["200-399"]
# A part of the body's first 64 KiB, or a regular expression between slashes.
#expectBody = "ok"
# "checking" sends no requests before the first success.
#initialState = "up"

# Takes out upstreams that keep failing requests, for a while. In force without this table too; to do without it, write
# "outlierDetection = false" in [pools.app].
#[pools.app.outlierDetection]
# Failures in a row that take it out. 0 is never.
#consecutiveFailures = 5
# The share of failed requests that takes it out, over so much time and so many requests at least. 0 is never.
#failureRatio = 0.5
#window = "10s"
#minimumRequests = 20
# How long it is out the first time; each time it is longer by as much, up to the maximum.
#baseEjectionTime = "30s"
#maxEjectionTime = "5m"
# The share of the pool that may be out at the same time. One always may while another stays; 0 is never.
#maxEjectionPercent = 50
# What counts, beside connections that fail and responses that do not come.
#failureStatuses = ["500-599"]

# Gives an upstream that comes back or joins its share little by little. Off when left out.
#[pools.app.slowStart]
#window = "30s"
# The share it begins with, in hundredths of its own.
#minWeightPercent = 10

# Lets weights follow how upstreams do. Off when left out.
#[pools.app.weights]
# "feedback" rates them by failures and latency, "announced" heeds only what they say of themselves.
#mode = "feedback"
#interval = "10s"
# A response header in which an upstream may announce its load, 0 to 1.
#header = "x-evenkeel-load"

# Brings each client back to the upstream that answered it first, by a cookie. Off when left out.
#[pools.app.sticky]
# Its name. Every pool has one of its own.
#cookie = "evenkeel"
# Signs it; the same on every replica. Without one, clients are bound until the process ends, and to it alone.
#secret = "\${STICKY_SECRET:-at least 8 characters}"
# From the first answer. As long as the browser's session when left out.
#ttl = "1h"
# When a client's upstream cannot be had: "redistribute" binds it to another, "fail" answers 503.
#onMissing = "redistribute"

# What may be sent again when an upstream fails. After a connect failure a request always goes on to the other upstreams.
#[pools.app.retry]
# After the first attempt: upstreams that were not tried, then those that failed.
#attempts = 3
# May name "timeout" and statuses such as "503" too.
#on = ["connect-failure", "reset"]
#methods = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]
# The share of requests that may be retried, and how many a second beside it.
#budget = 0.2
#minRetriesPerSecond = 10
# Bodies up to this size are kept for another attempt.
#bodyBuffer = "64kb"
# For one attempt, up to the response's headers. None when left out.
#perTryTimeout = "10s"
# When no upstream can be connected, requests wait and connect again until the outage is this old. "0s" answers at once.
#connectFor = "2s"

#[pools.app.timeouts]
#connect = "3s"
# From the request sent to the response's headers.
#headers = "30s"
# Between two parts of a response. Event streams and WebSockets may be silent.
#idle = "60s"
# The whole exchange with all its attempts. "0s" is no limit.
#total = "0s"

# Requests that wait while every upstream has maxInFlight.
#[pools.app.queue]
#max = 100
#timeout = "5s"

#[pools.app.connections]
# Connections to each upstream. 0 is no limit.
#max = 0
# How long an idle one is kept. Keep it shorter than the upstream does.
#keepAlive = "4s"
# A busy one is replaced after that time, so that it follows a name that has moved, or after so many requests.
#maxAge = "5m"
#maxRequests = 0
# HTTP/2 with an https upstream that offers it; "h2c" for http upstreams that speak HTTP/2 as well.
#http2 = false

# For https upstreams. Their certificates are verified.
#[pools.app.tls]
#ca = "certs/ca.pem"
#cert = "certs/client.pem"
#key = "certs/client.key"
#servername = "app.internal"
#verify = true
`;
