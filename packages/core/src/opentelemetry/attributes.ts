/** Attributes by the semantic conventions for HTTP spans (1.38), and our own. */

import { isIP } from "node:net";
import type { Attributes } from "@opentelemetry/api";
import type { UpstreamAddress } from "../config/resolved.ts";
import { grpcStatusNames } from "../grpc/status.ts";
import type { AttemptTrace, PickTrace, ProbeTrace, RequestTrace } from "../tracing/messages.ts";
import { redactPath, redactQuery } from "./redact-url.ts";

/** The longest path or query of an attribute, in characters. */
const maxLength = 2_048;

const knownMethods: ReadonlySet<string> = new Set(
  // The conventions demand this variable of an instrumentation that replaces methods.
  process.env["OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"]?.split(",").map((method) => method.trim()) ?? [
    ...["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"],
  ],
);

/** The method in the name of a span. Methods of clients would make names without number. */
export function methodName(method: string): string {
  return knownMethods.has(method) ? method : "HTTP";
}

export function serverAttributes(request: RequestTrace): Attributes {
  const { method, scheme, path, query, client, peer } = request;
  const known = knownMethods.has(method);
  const { address, port } = parseHost(request.host, scheme);
  return {
    "http.request.method": known ? method : "_OTHER",
    "http.request.method_original": known ? undefined : method,
    "url.scheme": scheme,
    "url.path": redactPath(path.slice(0, maxLength)),
    "url.query": queryText(query),
    "server.address": address,
    "server.port": port,
    "client.address": client || undefined,
    "network.peer.address": peer || undefined,
    "network.protocol.version": versionText(request.httpVersion),
    "user_agent.original": request.header("user-agent"),
    "http.route": request.route,
    "evenkeel.request_id": request.requestId,
  };
}

export function endAttributes({ pool, upstream, flags, grpcStatus }: RequestTrace): Attributes {
  return {
    "evenkeel.pool": pool,
    "evenkeel.upstream": upstream,
    "evenkeel.flags": flags.length === 0 ? undefined : [...flags],
    "rpc.response.status_code": grpcStatusText(grpcStatus),
  };
}

export function attemptAttributes(attempt: AttemptTrace): Attributes {
  const { method, target, address, number, pick } = attempt;
  const known = knownMethods.has(method);
  const { origin, host, port, peer, peerPort, transport } = destinationOf(address);
  return {
    "http.request.method": known ? method : "_OTHER",
    "http.request.method_original": known ? undefined : method,
    "http.request.resend_count": number === 0 ? undefined : number,
    "url.full": urlText(origin, target),
    "server.address": host,
    "server.port": port,
    "network.peer.address": peer,
    "network.peer.port": peerPort,
    "network.transport": transport,
    "network.protocol.version": attempt.httpVersion,
    "evenkeel.pool": attempt.pool,
    "evenkeel.upstream": attempt.upstream,
    "evenkeel.route": attempt.request.route,
    "evenkeel.pick.by": pick.by,
    "evenkeel.pick.reason": pickReason(pick),
  };
}

export function probeAttributes({ type, method, path, address, pool, upstream }: ProbeTrace): Attributes {
  const { origin, host, port, peer, peerPort, transport } = destinationOf(address);
  return {
    "http.request.method": type === "http" ? methodName(method) : undefined,
    "url.full": type === "http" ? urlText(origin, path) : undefined,
    "server.address": host,
    "server.port": port,
    "network.peer.address": peer,
    "network.peer.port": peerPort,
    "network.transport": transport,
    "evenkeel.pool": pool,
    "evenkeel.upstream": upstream,
    "evenkeel.probe": type,
  };
}

/** Undefined for what is no gRPC call, or has no status of the protocol. */
export function grpcStatusText(grpcStatus: number | undefined): string | undefined {
  return grpcStatus === undefined ? undefined : grpcStatusNames[grpcStatus];
}

/** What the attributes say of an upstream's address. */
interface Destination {
  readonly origin: string;
  readonly host: string;
  /** Undefined for a Unix socket. */
  readonly port: number | undefined;
  /** Undefined for a name: which of its addresses is used is not known. */
  readonly peer: string | undefined;
  readonly peerPort: number | undefined;
  readonly transport: "unix" | undefined;
}

const destinations = new WeakMap<UpstreamAddress, Destination>();

function destinationOf(address: UpstreamAddress): Destination {
  let destination = destinations.get(address);
  if (destination === undefined) {
    destination = toDestination(address);
    destinations.set(address, destination);
  }
  return destination;
}

function toDestination({ socketPath, hostname, port, tls, host }: UpstreamAddress): Destination {
  const origin = `${tls ? "https" : "http"}://${host}`;
  if (socketPath !== undefined) {
    return { origin, host: socketPath, port: undefined, peer: socketPath, peerPort: undefined, transport: "unix" };
  }
  const known = isIP(hostname) !== 0;
  return {
    origin,
    host: hostname,
    port,
    peer: known ? hostname : undefined,
    peerPort: known ? port : undefined,
    transport: undefined,
  };
}

function urlText(origin: string, target: string): string {
  const mark = target.indexOf("?");
  const path = redactPath(target.slice(0, Math.min(mark === -1 ? target.length : mark, maxLength)));
  return mark === -1 ? origin + path : `${origin}${path}?${queryText(target.slice(mark)) ?? ""}`;
}

function pickReason({ by, policy, candidates, inFlight, weight, lastResort, panic }: PickTrace): string {
  const why = {
    policy: `${policy}: ${inFlight} in flight, weight ${Number(weight.toFixed(2))}, 1 of ${candidates}`,
    affinity: "the client is bound to it",
    authenticated: "the client has an authenticated connection to it",
    stale: "the upstream had closed the reused connection",
  }[by];
  return `${why}${lastResort ? ", last resort" : ""}${panic ? ", panic" : ""}`;
}

/** Without the question mark, secrets redacted. */
function queryText(query: string): string | undefined {
  return query === "" ? undefined : redactQuery(query.slice(1, maxLength + 1));
}

function versionText(httpVersion: string): string | undefined {
  return httpVersion === "2.0" ? "2" : httpVersion || undefined;
}

/** The host was checked before, if the request was not refused. */
function parseHost(host: string, scheme: "http" | "https"): { readonly address?: string; readonly port?: number } {
  const [, address = "", port] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(host) ?? [];
  if (address === "") return {};
  return { address: address.replace(/^\[|\]$/g, ""), port: Number(port ?? (scheme === "https" ? 443 : 80)) };
}
