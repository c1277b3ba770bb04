/** The rules for header fields that an app sets on a request or response, by hooks, routes or changed `req.headers`. */

import { hopByHopNames } from "../http1/hop-by-hop.ts";

/**
 * `free`: the field is sent as set. `replaces`: it replaces the field that the proxy adds itself. `refused`: it is an error.
 */
export type HeaderRule = "free" | "replaces" | "refused";

/** The reason for refusing a header, as the end of a sentence. */
export const refusedReason = "it frames the message, belongs to one connection, or is part of a WebSocket handshake";

/**
 * The syntax of a `Host` header: a host and an optional port up to 65535 (RFC 9110 section 7.2). A comma is legal in a name
 * (RFC 3986 section 3.2.2) but not accepted: a recipient that joins repeated headers reads it as two hosts.
 */
export const hostText: RegExp =
  /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+;=%-]*)(?::(?:\d{0,4}|[0-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5]))?$/;

const refused: ReadonlySet<string> = new Set([
  ...hopByHopNames,
  // The proxy frames every message itself.
  "content-length",
  // The proxy answers Expect itself, once the upstream takes the body.
  "expect",
  // The accept value is derived from the client's key: with another key the handshake fails.
  ...["sec-websocket-key", "sec-websocket-version", "sec-websocket-accept"],
]);

/** Fields that the proxy sends once each, unless an app sets them. */
const replaces: ReadonlySet<string> = new Set([
  ...["host", "via", "forwarded", "x-request-id", "x-real-ip"],
  ...["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-prefix"],
]);

/** Returns the rule for a header name, in any letter case. `Content_Length` is refused too: CGI servers read it as `Content-Length`. */
export function headerRule(name: string): HeaderRule {
  const lower = name.toLowerCase();
  if (replaces.has(lower)) return "replaces";
  return refused.has(lower) || refused.has(lower.replace(/[_.]/g, "-")) ? "refused" : "free";
}
