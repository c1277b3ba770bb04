import type { Refusal } from "./request-head.ts";

/** A request target in origin-form, taken apart where routing needs it. */
export interface Target {
  /** Byte for byte as it came, without the query. */
  readonly path: string;
  /** With its question mark, or empty. */
  readonly query: string;
  /** The slash in front of the path is not the client's: see `ForwardOptions`. */
  readonly slashAdded?: boolean;
}

/** The path of `OPTIONS *`, which is no path: no route matches it. */
export const wholeServer = "*";

/**
 * Takes a request target apart, or says why it is refused (RFC 9112 section 3.2).
 *
 * The path is never decoded, collapsed or resolved: what routing sees is what the upstream gets. An absolute-form is
 * reduced to its path when its authority is the request's Host; the address to connect to never comes from a request.
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
