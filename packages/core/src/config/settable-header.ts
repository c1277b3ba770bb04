/** Judges the header fields that an app sets on a request or response, in hooks, routes and changed `req.headers`. */

import { hopByHopNames } from "../http1/hop-by-hop.ts";

/**
 * `free`: sent as it was set. `replaces`: sent in place of the line that the proxy would add itself. `refused`: never sent.
 */
export type HeaderRule = "free" | "replaces" | "refused";

/** Why a header is refused, as the end of a sentence about it. */
export const refusedReason = "it frames the message, belongs to one connection, or is part of a WebSocket handshake";

/**
 * A host as a `Host` header has it, with a port of up to 65535 or without one (RFC 9110 section 7.2). A comma would be legal in
 * a name (RFC 3986 section 3.2.2), but to readers that join repeated headers it stands between two hosts.
 */
export const hostText: RegExp =
  /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+;=%-]*)(?::(?:\d{0,4}|[0-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5]))?$/;

const refused: ReadonlySet<string> = new Set([
  ...hopByHopNames,
  // The proxy frames every message itself.
  "content-length",
  // The proxy sends no 100 of its own before the upstream's.
  "expect",
  // The accept value is computed from the client's key: with another key no handshake succeeds.
  ...["sec-websocket-key", "sec-websocket-version", "sec-websocket-accept"],
]);

/** Sent once each, by the proxy, unless an app sets them. */
const replaces: ReadonlySet<string> = new Set([
  ...["host", "via", "forwarded", "x-request-id", "x-real-ip"],
  ...["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-prefix"],
]);

/** Judges a header by its name, in any letter case. `Content_Length` is refused too: CGI-like servers read it as `Content-Length`. */
export function headerRule(name: string): HeaderRule {
  const lower = name.toLowerCase();
  if (replaces.has(lower)) return "replaces";
  return refused.has(lower) || refused.has(lower.replace(/[_.]/g, "-")) ? "refused" : "free";
}
