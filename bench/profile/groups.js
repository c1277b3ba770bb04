// Which part of the work a function does, by the file it is in. What belongs to no part by itself (streams, sockets,
// buffers, native code) is done for whoever called it.

export const groups = ["client parsing", "routing and balancing", "upstream side", "observing", "writing back"];
const [client, routing, upstream, observing, writing] = groups;

/** The part of a folder of packages/core/src as a whole. */
const folders = {
  attempts: routing,
  balancer: routing,
  config: routing,
  pool: routing,
  client: writing,
  request: client,
  http1: upstream,
  transport: upstream,
  health: observing,
  observe: observing,
};

/** Files that belong to another part than their folder, and those of folders that belong to several. */
const files = {
  [client]: [
    "client/node/incomplete-request",
    "client/node/pipelining",
    "client/node/response-closed",
    "forward/handle-request",
    "forward/parse-errors",
  ],
  [routing]: [
    "forward/context",
    "forward/proxied-request",
    "forward/proxied-request-input",
    "request/create-routing",
    "request/hash-key",
    "request/route-match",
    "request/routing",
  ],
  [upstream]: ["forward/headers/upstream-headers", "forward/request-body", "request/forwarded-headers"],
  [observing]: ["attempts/in-flight", "attempts/load-report", "forward/request-record"],
  [writing]: [
    "forward/client-response",
    "forward/error-response",
    "forward/headers/client-headers",
    "forward/headers/trailers",
  ],
};
const groupOfFile = new Map(Object.entries(files).flatMap(([group, names]) => names.map((name) => [name, group])));

const nodeFiles = {
  "node:_http_common": client,
  "node:_http_incoming": client,
  "node:_http_server": client,
  "node:_http_outgoing": writing,
};

/** In node's _http_server, these write. */
const serverWrites = /^(?:writeHead|ServerResponse|resOnFinish|_?finish|detachSocket|assignSocket|_storeHeader)$/;

/** Undefined when it depends on the caller. */
export function groupOf({ url, functionName }) {
  if (url === "node:_http_server" && serverWrites.test(functionName)) return writing;
  if (Object.hasOwn(nodeFiles, url)) return nodeFiles[url];
  const [, name = ""] = /packages\/core\/dist\/([\w/-]+)\.js$/.exec(url) ?? [];
  return groupOfFile.get(name) ?? folders[name.split("/")[0]];
}
