/** What the proxy tells the upstream about the client: X-Forwarded-*, X-Request-Id, Via and, on demand, Forwarded. */

import { randomUUID } from "node:crypto";
import { isIP } from "node:net";
import type { IncomingRequest } from "../client/client-exchange.ts";
import { hostText } from "../config/settable-header.ts";
import { clientAddress, peerAddress, type TrustedProxies } from "./client-address.ts";
import type { RequestHeadIn } from "./request-head.ts";

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

/** What a peer that is not trusted has told. */
const nothing: ReadonlyMap<string, string> = new Map();

/** What is taken for the id of a request: it goes into logs. */
export const requestIdPattern: RegExp = /^[\x21-\x7e]{1,200}$/;

export function clientFacts(
  request: Pick<IncomingRequest, "remoteAddress" | "encrypted">,
  head: RequestHeadIn,
  trustedProxies: TrustedProxies,
): ClientFacts {
  const peer = peerAddress(request.remoteAddress);
  const trusted = trustedProxies.includes(peer);
  const told = trusted ? head.forwarded : nothing;
  const proto = toldProto(told) ?? (request.encrypted ? "https" : "http");
  const requestId = told.get("x-request-id");
  return {
    peer,
    trusted,
    client: clientAddress(peer, told.get("x-forwarded-for"), trustedProxies),
    proto,
    host: toldHost(told) ?? head.host,
    port: toldPort(told) ?? portOf(head.host, proto),
    requestId: requestId !== undefined && requestIdPattern.test(requestId) ? requestId : randomUUID(),
  };
}

/**
 * Where proxies in a row have each added their own value, as in `https,http`, the first is what the client connected with. What
 * is no scheme, host or port is not believed.
 */
function toldFirst(told: ReadonlyMap<string, string>, name: string): string | undefined {
  return told.get(name)?.split(",", 1)[0]?.trim();
}

function toldProto(told: ReadonlyMap<string, string>): string | undefined {
  const proto = toldFirst(told, "x-forwarded-proto")?.toLowerCase();
  return proto !== undefined && /^(?:https?|wss?)$/.test(proto) ? proto : undefined;
}

function toldHost(told: ReadonlyMap<string, string>): string | undefined {
  const host = toldFirst(told, "x-forwarded-host");
  return host !== undefined && host !== "" && hostText.test(host) ? host : undefined;
}

function toldPort(told: ReadonlyMap<string, string>): string | undefined {
  const port = toldFirst(told, "x-forwarded-port");
  return port !== undefined && /^\d{1,5}$/.test(port) && Number(port) <= 65_535 ? port : undefined;
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
  const told = facts.trusted ? head.forwarded : nothing;
  const chain = told.get("x-forwarded-for");
  if (facts.peer !== "") headers.push("X-Forwarded-For", chain === undefined ? facts.peer : `${chain}, ${facts.peer}`);
  if (facts.host !== "") headers.push("X-Forwarded-Host", facts.host);
  headers.push("X-Forwarded-Proto", facts.proto, "X-Forwarded-Port", facts.port);
  const prefix = (told.get("x-forwarded-prefix") ?? "") + options.prefix;
  if (prefix !== "") headers.push("X-Forwarded-Prefix", prefix);
  const realIp = told.get("x-real-ip");
  if (realIp !== undefined) headers.push("X-Real-IP", realIp);
  headers.push("X-Request-Id", facts.requestId);
  headers.push("Via", head.via === undefined ? "1.1 evenkeel" : `${head.via}, 1.1 evenkeel`);
  if (options.forwarded) headers.push("Forwarded", forwardedElement(told.get("forwarded"), facts));
  else if (told.has("forwarded")) headers.push("Forwarded", told.get("forwarded") as string);
}

/** RFC 7239 section 4: an IPv6 address is bracketed and quoted, a host with a port is quoted. */
function forwardedElement(chain: string | undefined, facts: ClientFacts): string {
  const node = isIP(facts.peer) === 6 ? `"[${facts.peer}]"` : facts.peer === "" ? "unknown" : facts.peer;
  const host = /^[\w!#$%&'*+.^`|~-]+$/.test(facts.host) ? facts.host : JSON.stringify(facts.host);
  const element = `for=${node}${facts.host === "" ? "" : `;host=${host}`};proto=${facts.proto}`;
  return chain === undefined ? element : `${chain}, ${element}`;
}

/** The host has been checked: behind a colon there is nothing but a port, unless an IPv6 address ends there. */
function portOf(host: string, proto: string): string {
  const colon = host.lastIndexOf(":");
  const port = colon > host.lastIndexOf("]") ? host.slice(colon + 1) : "";
  if (port !== "") return port;
  return proto === "https" ? "443" : "80";
}
