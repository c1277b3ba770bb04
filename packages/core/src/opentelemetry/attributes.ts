/** Attributes by the semantic conventions for HTTP spans (1.38), and our own. */

import { isIP } from "node:net";
import type { Attributes } from "@opentelemetry/api";
import type { UpstreamAddress } from "../config/resolved.ts";
import { grpcStatusNames } from "../grpc/status.ts";
import type { AttemptTrace, PickTrace, ProbeTrace, RequestTrace } from "../tracing/messages.ts";
import { redactQuery } from "./redact-query.ts";

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

function methodAttributes(method: string): Attributes {
  if (knownMethods.has(method)) return { "http.request.method": method };
  return { "http.request.method": "_OTHER", "http.request.method_original": method };
}

export function serverAttributes(request: RequestTrace): Attributes {
  const { method, scheme, path, query, httpVersion, client, peer, route, requestId } = request;
  const { address, port } = parseHost(request.host, scheme);
  return {
    ...methodAttributes(method),
    "url.scheme": scheme,
    "url.path": path.slice(0, maxLength),
    "url.query": queryText(query),
    "server.address": address,
    "server.port": port,
    "client.address": client || undefined,
    "network.peer.address": peer || undefined,
    "network.protocol.version": versionText(httpVersion),
    "user_agent.original": request.header("user-agent"),
    "http.route": route,
    "evenkeel.request_id": requestId,
  };
}

export function endAttributes({ pool, upstream, flags, grpcStatus }: RequestTrace): Attributes {
  return {
    "evenkeel.pool": pool,
    "evenkeel.upstream": upstream,
    ...(flags.length > 0 && { "evenkeel.flags": [...flags] }),
    ...grpcStatusAttribute(grpcStatus),
  };
}

export function attemptAttributes(attempt: AttemptTrace): Attributes {
  const { method, target, address, number, pool, upstream, pick, httpVersion, request } = attempt;
  return {
    ...methodAttributes(method),
    ...addressAttributes(address, target),
    "network.protocol.version": httpVersion,
    "http.request.resend_count": number === 0 ? undefined : number,
    "evenkeel.pool": pool,
    "evenkeel.upstream": upstream,
    "evenkeel.route": request.route,
    "evenkeel.pick.by": pick.by,
    "evenkeel.pick.reason": pickReason(pick),
  };
}

export function probeAttributes({ type, method, path, address, pool, upstream }: ProbeTrace): Attributes {
  return {
    ...(type === "http" ? methodAttributes(method) : {}),
    ...addressAttributes(address, type === "http" ? path : undefined),
    "evenkeel.pool": pool,
    "evenkeel.upstream": upstream,
    "evenkeel.probe": type,
  };
}

export function grpcStatusAttribute(grpcStatus: number | undefined): Attributes {
  return grpcStatus === undefined ? {} : { "rpc.response.status_code": grpcStatusNames[grpcStatus] };
}

/** `target` is undefined where no URL is requested. */
function addressAttributes(address: UpstreamAddress, target: string | undefined): Attributes {
  const { socketPath, hostname, port, tls, host } = address;
  const scheme = tls ? "https" : "http";
  const mark = target?.indexOf("?") ?? -1;
  const path = mark === -1 ? target : target?.slice(0, mark);
  const query = mark === -1 ? "" : `?${queryText(target?.slice(mark) ?? "") ?? ""}`;
  return {
    "url.full": path === undefined ? undefined : `${scheme}://${host}${path.slice(0, maxLength)}${query}`,
    "server.address": socketPath ?? hostname,
    "server.port": socketPath === undefined ? port : undefined,
    "network.peer.address": socketPath ?? (isIP(hostname) === 0 ? undefined : hostname),
    "network.peer.port": socketPath === undefined && isIP(hostname) !== 0 ? port : undefined,
    "network.transport": socketPath === undefined ? undefined : "unix",
  };
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
