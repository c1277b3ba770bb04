// Which part of the work a function does, by the file it is in. What belongs to no part by itself (streams, sockets,
// buffers, native code, and what is listed under `callers`) counts for its caller.

export const groups = ["client parsing", "routing and balancing", "upstream side", "observing", "writing back"];
const [client, routing, upstream, observing, writing] = groups;

/** Code that both sides use, or every part. */
export const callers = "of the caller";
/** What no proxied request runs. */
export const outside = "no part of a request";

/**
 * The files and folders of packages/core/src by part. A file is in the part that names it or, failing that, its nearest
 * folder: bench/test/groups.test.js checks that each is in exactly one.
 */
export const parts = {
  [client]: [
    "client/",
    "forward/context",
    "forward/create-request-body",
    "forward/grpc-call",
    "forward/handle-request",
    "forward/request-body",
    "node-listeners",
    "server/",
    "server-listeners",
    "proxy",
    "proxy-surroundings",
    "request/",
  ],
  [routing]: [
    "attempts/",
    "balancer/",
    "group-limits/",
    "forward/check-hooks",
    "forward/hooks",
    "forward/proxied-request",
    "managed-pool",
    "policy",
    "pool-registry",
    "pool/",
    "request/app-headers",
    "request/create-routing",
    "request/hash-key",
    "request/route-match",
    "request/routing",
  ],
  [upstream]: [
    "attempts/replay-buffer",
    "dns/",
    "forward/headers/upstream-headers",
    "forward/upgrade/",
    "request/forwarded-headers",
    "transport/",
  ],
  [observing]: [
    "attempts/in-flight",
    "attempts/load-report",
    "coordination/",
    "discovery/",
    "events",
    "forward/reporter",
    "forward/request-record",
    "forward/trace-request",
    "health/",
    "log/",
    "observe/",
    "opentelemetry/",
    "snapshot",
    "tracing/",
  ],
  [writing]: [
    "client/http1/date-field",
    "client/http1/response-head",
    "client/http1/response-queue",
    "client/http2/connection-output",
    "client/http2/outgoing-body",
    "client/http2/response-fields",
    "client/node/body-buffers",
    "client/node/patched-response",
    "client/node/response-batch",
    "client/node/upgrade-response",
    "client/node/write-head",
    "client/send-timeout",
    "client/server/connection-output",
    "client/server/held-output",
    "client/server/write-batch",
    "client/server/write-blocks",
    "forward/client-response",
    "forward/error-response",
    "forward/headers/",
  ],
  [callers]: ["config/", "errors", "grpc/", "http1/", "http2/", "runtime/"],
  [outside]: ["announce-load", "explain/", "index", "outbound/", "simulate/", "testing/", "version"],
};

const partOf = new Map(Object.entries(parts).flatMap(([part, places]) => places.map((place) => [place, part])));

/** The part of a file of packages/core/src, given without its extension. Undefined for one that no part has. */
export function partOfFile(name) {
  let place = name;
  while (place !== "" && !partOf.has(place)) place = place.slice(0, place.lastIndexOf("/", place.length - 2) + 1);
  return partOf.get(place);
}

const nodeFiles = {
  "node:_http_common": client,
  "node:_http_incoming": client,
  "node:_http_server": client,
  "node:_http_outgoing": writing,
};

/** In files that read requests and write responses, these write. */
const writers = {
  "node:_http_server": /^(?:writeHead|ServerResponse|resOnFinish|_?finish|detachSocket|assignSocket|_storeHeader)$/,
  "client/node/node-exchange": /^(?:begin|cutOff|end|flush|inform|release|#?send|write)$/,
};

/** Undefined when it depends on the caller. */
export function groupOf({ url, functionName }) {
  const [, file] = /packages\/core\/dist\/([\w/-]+)\.js$/.exec(url) ?? [];
  if (writers[file ?? url]?.test(functionName)) return writing;
  if (file === undefined) return nodeFiles[url];
  const part = partOfFile(file);
  return part === callers ? undefined : part;
}
