import type { Refusal } from "./request-head.ts";

/** A request target in origin-form, split into path and query. */
export interface Target {
  /** Byte for byte as received, without the query. */
  readonly path: string;
  /** With its question mark, or empty. */
  readonly query: string;
  /** The client did not send the slash in front of the path: see `ForwardOptions`. */
  readonly slashAdded?: boolean;
}

/** The target of `OPTIONS *`. It is no path, so no route matches it. */
export const wholeServer = "*";

/**
 * Parses a request target, or returns why it is refused (RFC 9112 section 3.2).
 *
 * The path is never decoded, collapsed or resolved: routing and the upstream receive the same bytes. An absolute-form is reduced
 * to its path if its authority equals the request's Host: the address to connect to never comes from a request.
 */
export function parseTarget(url: string, host: string, method = "GET"): Target | Refusal {
  if (url === "*" && method === "OPTIONS") return { path: wholeServer, query: "" };
  let origin = url;
  if (!url.startsWith("/")) {
    const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url);
    if (absolute === null) return { code: "bad_request", reason: "the request target is not a path" };
    if (absolute[1]?.toLowerCase() !== host.toLowerCase()) {
      return { code: "bad_request", reason: "the request target names another host than the Host header" };
    }
    const rest = absolute[2] ?? "";
    origin = rest.startsWith("/") ? rest : `/${rest}`;
  }
  if (!/^[\x21\x22\x24-\x7e]*$/.test(origin)) {
    return { code: "bad_request", reason: "the request target has a fragment or a forbidden character" };
  }
  if (/^[^?]*?%(?![0-9A-Fa-f]{2})/.test(origin)) {
    return { code: "bad_request", reason: "the path has a percent sign that encodes nothing" };
  }
  const mark = origin.indexOf("?");
  return mark === -1 ? { path: origin, query: "" } : { path: origin.slice(0, mark), query: origin.slice(mark) };
}
