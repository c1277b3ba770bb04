// Which part of the work a function does, by the file it is in. What belongs to no part by itself (streams, sockets,
// buffers, native code) is done for whoever called it.

export const groups = ["client parsing", "routing and balancing", "upstream side", "observing", "writing back"];
const [client, routing, upstream, observing, writing] = groups;

/** Files of packages/core/src/forward; every other folder belongs to one part as a whole. */
const forward = {
  [client]: ["arrival", "handler", "receiving", "client-error", "target", "once-over", "client-address", "pipeline"],
  [routing]: ["create-routing", "routes", "upstream-choice", "hash-key", "sticky-cookie", "retry", "relay", "engine"],
  [upstream]: [
    "upstream-request",
    "request-body",
    "current-attempt",
    "forwarded-headers",
    "relay-input",
    "request-head",
  ],
  [observing]: ["request-record", "active-set", "announced-load"],
  [writing]: ["client-response", "response-head", "write-head", "reply", "overflow", "stalled-client", "trailers"],
};
const groupOfForward = new Map(Object.entries(forward).flatMap(([group, files]) => files.map((file) => [file, group])));

const folders = {
  config: routing,
  pool: routing,
  balancer: routing,
  wire: upstream,
  observe: observing,
  health: observing,
};

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
  const [, folder, file] = /packages\/core\/dist\/(?:([\w-]+)\/)?([\w-]+)\.js$/.exec(url) ?? [];
  if (folder === "forward") return groupOfForward.get(file);
  return folders[folder];
}
