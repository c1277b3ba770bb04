/** Classifies the headers of a request by their names. */

import { bySpelling } from "../http1/header-classifier.ts";
import { hopByHopNames } from "../http1/hop-by-hop.ts";

/** How a header of a request is treated: see `HeadReader`. */
export type RequestHeaderKind =
  | ("passed" | "claim" | "hop" | "host" | "length" | "coding" | "connection" | "te" | "expect" | "forwarded" | "via")
  | ("accept" | "content-type" | "traceparent" | "user-agent" | "referer");

const kinds: ReadonlyMap<string, RequestHeaderKind> = new Map<string, RequestHeaderKind>([
  ...hopByHopNames.map((name) => [name, "hop"] as const),
  // These are hop-by-hop too, but are read: Connection for the names that it lists, TE for `trailers`, and the coding.
  ["connection", "connection"],
  ["te", "te"],
  ["transfer-encoding", "coding"],
  // CGI passes it on as HTTP_PROXY, which many clients take for the proxy of their own requests (httpoxy, CVE-2016-5385).
  ["proxy", "hop"],
  // The proxy answers it (RFC 9110 section 10.1.1).
  ["expect", "expect"],
  ["host", "host"],
  ["content-length", "length"],
  ["x-forwarded-for", "forwarded"],
  ["x-forwarded-host", "forwarded"],
  ["x-forwarded-proto", "forwarded"],
  ["x-forwarded-port", "forwarded"],
  ["x-forwarded-prefix", "forwarded"],
  ["x-real-ip", "forwarded"],
  ["x-request-id", "forwarded"],
  ["forwarded", "forwarded"],
  ["via", "via"],
  ["accept", "accept"],
  ["content-type", "content-type"],
  ["traceparent", "traceparent"],
  ["user-agent", "user-agent"],
  ["referer", "referer"],
]);

const usual = bySpelling(kinds, "passed");

/**
 * Headers that an upstream behind a proxy trusts, and that only a proxy may set: how the client connected, its identity, and
 * the URL that it requested. The last two names replace the path in IIS, Symfony and others, past every check of the real one.
 */
const claims = /^(?:x-forwarded-.+|front-end-https|x-original-url|x-rewrite-url)$/;

/** Kinds whose aliases are harmless: nothing is decided by them. */
const harmless: ReadonlySet<RequestHeaderKind | undefined> = new Set([
  "accept",
  "content-type",
  "traceparent",
  "user-agent",
  "referer",
  undefined,
]);

/** CGI-like upstreams read `X_Forwarded_For` as `X-Forwarded-For`, and `Content_Length` as `Content-Length`: such aliases are dropped. */
function kindOf(lower: string): RequestHeaderKind {
  const kind = kinds.get(lower);
  if (kind !== undefined) return kind;
  if (!/[_.]/.test(lower)) return claims.test(lower) ? "claim" : "passed";
  const dashed = lower.replace(/[_.]/g, "-");
  return harmless.has(kinds.get(dashed)) && !claims.test(dashed) ? "passed" : "hop";
}

/** Returns the kind of a header by its name in any letter case. */
export function requestHeaderKind(name: string): RequestHeaderKind {
  return usual.get(name) ?? kindOf(name.toLowerCase());
}
