/** The headers that describe the client to the upstream: X-Forwarded-*, X-Request-Id, Via and, on demand, Forwarded. */

import { randomUUID } from "node:crypto";
import { isIP } from "node:net";
import type { IncomingRequest } from "../client/client-exchange.ts";
import { hostText } from "../config/settable-header.ts";
import { clientAddress, peerAddress, type TrustedProxies } from "./client-address.ts";
import type { RequestHeadIn } from "./request-head.ts";

/** The client and its connection, as far as they can be trusted. */
export interface ClientFacts {
  readonly peer: string;
  /** The peer's own X-Forwarded headers are trusted. */
  readonly trusted: boolean;
  readonly client: string;
  readonly proto: string;
  readonly host: string;
  readonly port: string;
  readonly requestId: string;
}

/** The forwarded headers of a peer that is not trusted. */
const noHeaders: ReadonlyMap<string, string> = new Map();

/** A valid request id: it is written to logs. */
export const requestIdPattern: RegExp = /^[\x21-\x7e]{1,200}$/;

export function clientFacts(
  request: Pick<IncomingRequest, "remoteAddress" | "encrypted">,
  head: RequestHeadIn,
  trustedProxies: TrustedProxies,
): ClientFacts {
  const peer = peerAddress(request.remoteAddress);
  const trusted = trustedProxies.includes(peer);
  const forwarded = trusted ? head.forwarded : noHeaders;
  const proto = forwardedProto(forwarded) ?? (request.encrypted ? "https" : "http");
  const requestId = forwarded.get("x-request-id");
  return {
    peer,
    trusted,
    client: clientAddress(peer, forwarded.get("x-forwarded-for"), trustedProxies),
    proto,
    host: forwardedHost(forwarded) ?? head.host,
    port: forwardedPort(forwarded) ?? portOf(head.host, proto),
    requestId: requestId !== undefined && requestIdPattern.test(requestId) ? requestId : randomUUID(),
  };
}

/**
 * The first value: where several proxies have each added one, as in `https,http`, it describes the client's connection. A value
 * that is no scheme, host or port is ignored.
 */
function firstValue(forwarded: ReadonlyMap<string, string>, name: string): string | undefined {
  return forwarded.get(name)?.split(",", 1)[0]?.trim();
}

function forwardedProto(forwarded: ReadonlyMap<string, string>): string | undefined {
  const proto = firstValue(forwarded, "x-forwarded-proto")?.toLowerCase();
  return proto !== undefined && /^(?:https?|wss?)$/.test(proto) ? proto : undefined;
}

function forwardedHost(forwarded: ReadonlyMap<string, string>): string | undefined {
  const host = firstValue(forwarded, "x-forwarded-host");
  return host !== undefined && host !== "" && hostText.test(host) ? host : undefined;
}

function forwardedPort(forwarded: ReadonlyMap<string, string>): string | undefined {
  const port = firstValue(forwarded, "x-forwarded-port");
  return port !== undefined && /^\d{1,5}$/.test(port) && Number(port) <= 65_535 ? port : undefined;
}

/**
 * Appends the proxy's own headers. Those of a peer that is not trusted were removed, so these are the only ones; those of a
 * trusted peer are extended.
 */
export function appendForwarded(
  headers: string[],
  head: RequestHeadIn,
  facts: ClientFacts,
  options: { readonly forwarded: boolean; readonly prefix: string },
): void {
  const forwarded = facts.trusted ? head.forwarded : noHeaders;
  const chain = forwarded.get("x-forwarded-for");
  if (facts.peer !== "") headers.push("X-Forwarded-For", chain === undefined ? facts.peer : `${chain}, ${facts.peer}`);
  if (facts.host !== "") headers.push("X-Forwarded-Host", facts.host);
  headers.push("X-Forwarded-Proto", facts.proto, "X-Forwarded-Port", facts.port);
  const prefix = (forwarded.get("x-forwarded-prefix") ?? "") + options.prefix;
  if (prefix !== "") headers.push("X-Forwarded-Prefix", prefix);
  const realIp = forwarded.get("x-real-ip");
  if (realIp !== undefined) headers.push("X-Real-IP", realIp);
  headers.push("X-Request-Id", facts.requestId);
  const via = `${head.viaVersion} evenkeel`;
  headers.push("Via", head.via === undefined ? via : `${head.via}, ${via}`);
  if (options.forwarded) headers.push("Forwarded", forwardedElement(forwarded.get("forwarded"), facts));
  else if (forwarded.has("forwarded")) headers.push("Forwarded", forwarded.get("forwarded") as string);
}

/** RFC 7239 section 4: an IPv6 address is bracketed and quoted, a host with a port is quoted. */
function forwardedElement(chain: string | undefined, facts: ClientFacts): string {
  const node = isIP(facts.peer) === 6 ? `"[${facts.peer}]"` : facts.peer === "" ? "unknown" : facts.peer;
  const host = /^[\w!#$%&'*+.^`|~-]+$/.test(facts.host) ? facts.host : JSON.stringify(facts.host);
  const element = `for=${node}${facts.host === "" ? "" : `;host=${host}`};proto=${facts.proto}`;
  return chain === undefined ? element : `${chain}, ${element}`;
}

/** The host was checked before: only a port follows a colon, unless the colon is part of an IPv6 address. */
function portOf(host: string, proto: string): string {
  const colon = host.lastIndexOf(":");
  const port = colon > host.lastIndexOf("]") ? host.slice(colon + 1) : "";
  if (port !== "") return port;
  return proto === "https" ? "443" : "80";
}
