/** What the proxy tells the upstream about the client: X-Forwarded-*, X-Request-Id, Via and, on demand, Forwarded. */

import { randomUUID } from "node:crypto";
import { isIP } from "node:net";
import { clientAddress, peerAddress, type TrustedProxies } from "./client-address.ts";
import type { RawRequest, RequestHeadIn } from "./request-head.ts";

/** Who asked, and how, as far as it can be believed. */
export interface ClientFacts {
  readonly peer: string;
  /** The peer's own X-Forwarded headers are believed. */
  readonly trusted: boolean;
  readonly client: string;
  readonly proto: string;
  readonly host: string;
  readonly port: string;
  readonly requestId: string;
}

const requestIdPattern = /^[\x21-\x7e]{1,200}$/;

export function clientFacts(req: RawRequest, head: RequestHeadIn, trustedProxies: TrustedProxies): ClientFacts {
  const peer = peerAddress(req.socket.remoteAddress);
  const trusted = trustedProxies.includes(peer);
  const told = (name: string) => (trusted ? head.forwarded.get(name) : undefined);
  const proto = told("x-forwarded-proto") ?? (req.socket.encrypted === true ? "https" : "http");
  const requestId = told("x-request-id");
  return {
    peer,
    trusted,
    client: clientAddress(peer, told("x-forwarded-for"), trustedProxies),
    proto,
    host: told("x-forwarded-host") ?? head.host,
    port: told("x-forwarded-port") ?? portOf(head.host, proto),
    requestId: requestId !== undefined && requestIdPattern.test(requestId) ? requestId : randomUUID(),
  };
}

/**
 * Appends the headers that the proxy says itself. From a peer that is not trusted nothing of the kind was let through,
 * so these are the only ones; a trusted peer's are extended.
 */
export function appendForwarded(
  headers: string[],
  head: RequestHeadIn,
  facts: ClientFacts,
  options: { readonly forwarded: boolean; readonly prefix: string },
): void {
  const told = (name: string) => (facts.trusted ? head.forwarded.get(name) : undefined);
  const chain = told("x-forwarded-for");
  if (facts.peer !== "") headers.push("X-Forwarded-For", chain === undefined ? facts.peer : `${chain}, ${facts.peer}`);
  if (facts.host !== "") headers.push("X-Forwarded-Host", facts.host);
  headers.push("X-Forwarded-Proto", facts.proto, "X-Forwarded-Port", facts.port);
  const prefix = (told("x-forwarded-prefix") ?? "") + options.prefix;
  if (prefix !== "") headers.push("X-Forwarded-Prefix", prefix);
  const realIp = told("x-real-ip");
  if (realIp !== undefined) headers.push("X-Real-IP", realIp);
  headers.push("X-Request-Id", facts.requestId);
  headers.push("Via", head.via === undefined ? "1.1 evenkeel" : `${head.via}, 1.1 evenkeel`);
  if (options.forwarded) headers.push("Forwarded", forwardedElement(told("forwarded"), facts));
  else if (told("forwarded") !== undefined) headers.push("Forwarded", told("forwarded") as string);
}

/** RFC 7239 section 4: an IPv6 address is bracketed and quoted, a host with a port is quoted. */
function forwardedElement(chain: string | undefined, facts: ClientFacts): string {
  const node = isIP(facts.peer) === 6 ? `"[${facts.peer}]"` : facts.peer === "" ? "unknown" : facts.peer;
  const host = /^[\w!#$%&'*+.^`|~-]+$/.test(facts.host) ? facts.host : JSON.stringify(facts.host);
  const element = `for=${node}${facts.host === "" ? "" : `;host=${host}`};proto=${facts.proto}`;
  return chain === undefined ? element : `${chain}, ${element}`;
}

function portOf(host: string, proto: string): string {
  return /:(\d+)$/.exec(host)?.[1] ?? (proto === "https" ? "443" : "80");
}
