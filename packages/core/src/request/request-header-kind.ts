/** Sorts the headers of a request by their names. */

import { bySpelling } from "../http1/header-classifier.ts";

/** What is done to a header of a request: see `HeadReader`. */
export type RequestHeaderKind =
  | ("passed" | "claim" | "hop" | "host" | "length" | "coding" | "connection" | "te" | "expect" | "forwarded" | "via")
  | ("accept" | "traceparent" | "user-agent" | "referer");

const kinds: ReadonlyMap<string, RequestHeaderKind> = new Map([
  ["connection", "connection"],
  ["proxy-connection", "hop"],
  ["keep-alive", "hop"],
  ["proxy-authenticate", "hop"],
  ["proxy-authorization", "hop"],
  ["trailer", "hop"],
  ["upgrade", "hop"],
  ["http2-settings", "hop"],
  // CGI hands it over as HTTP_PROXY, which many clients take for the proxy of their own requests (httpoxy, CVE-2016-5385).
  ["proxy", "hop"],
  ["expect", "expect"],
  ["te", "te"],
  ["host", "host"],
  ["content-length", "length"],
  ["transfer-encoding", "coding"],
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
  ["traceparent", "traceparent"],
  ["user-agent", "user-agent"],
  ["referer", "referer"],
]);

const usual = bySpelling(kinds, "passed");

/**
 * What an upstream behind a proxy tends to believe, and what only a proxy may say: how the client connected, who it is, and
 * which URL it asked for. The latter two replace the path in IIS, Symfony and others, past every check of the real one.
 */
const claims = /^(?:x-forwarded-.+|front-end-https|x-original-url|x-rewrite-url)$/;

/** Headers with an alias that does no harm: nothing is decided by them. */
const harmless: ReadonlySet<RequestHeaderKind | undefined> = new Set([
  "accept",
  "traceparent",
  "user-agent",
  "referer",
  undefined,
]);

/** CGI-like upstreams read `X_Forwarded_For` as `X-Forwarded-For`, and `Content_Length` as `Content-Length`: both are dropped. */
function kindOf(lower: string): RequestHeaderKind {
  const kind = kinds.get(lower);
  if (kind !== undefined) return kind;
  if (!/[_.]/.test(lower)) return claims.test(lower) ? "claim" : "passed";
  const dashed = lower.replace(/[_.]/g, "-");
  return harmless.has(kinds.get(dashed)) && !claims.test(dashed) ? "passed" : "hop";
}

/** The kind of a header by its name in any letter case. */
export function requestHeaderKind(name: string): RequestHeaderKind {
  return usual.get(name) ?? kindOf(name.toLowerCase());
}
