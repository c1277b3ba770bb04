import { contentLength, token } from "../../http1/grammar.ts";
import { faultOfField } from "../../http2/field-rules.ts";

/** The head of a request over HTTP/2, in the form of one over HTTP/1.1. */
export interface RequestFields {
  /** Empty when it is missing. */
  readonly method: string;
  /** The path; the authority for CONNECT. */
  readonly target: string;
  /** The protocol of an extended CONNECT (RFC 8441 section 4). */
  readonly protocol: string | undefined;
  /** Alternating names and values, Host first, cookies in one line. */
  readonly rawHeaders: string[];
  /** -1 without a Content-Length. */
  readonly length: number;
  /** Why the request is malformed, if it is. */
  readonly fault: string | undefined;
}

/** Visible characters only. Which paths are accepted is decided where targets of all versions are read. */
const pathText = /^(?:\/[\x21-\x7e]*|\*)$/;

interface PseudoFields {
  ":method"?: string;
  ":scheme"?: string;
  ":authority"?: string;
  ":path"?: string;
  ":protocol"?: string;
}

const pseudoNames: ReadonlySet<string> = new Set([":method", ":scheme", ":authority", ":path", ":protocol"]);

/** Reads the fields of a request and checks them (RFC 9113 sections 8.2, 8.3.1 and 8.5, RFC 8441 section 4). */
export function readRequestFields(fields: readonly string[]): RequestFields {
  const pseudo: PseudoFields = {};
  let fault: string | undefined;
  let at = 0;
  for (; at < fields.length && isPseudo(fields[at] as string); at += 2) {
    const name = fields[at] as keyof PseudoFields;
    if (!pseudoNames.has(name)) fault ??= "an unknown pseudo-field";
    else if (pseudo[name] !== undefined) fault ??= `more than one ${name}`;
    else pseudo[name] = fields[at + 1] as string;
  }
  const { ":method": method = "", ":path": path, ":authority": authority, ":protocol": protocol } = pseudo;
  const rawHeaders = ["host", ""];
  let host: string | undefined;
  let length = -1;
  let cookieAt = 0;
  for (; at < fields.length; at += 2) {
    const name = fields[at] as string;
    const value = fields[at + 1] as string;
    fault ??= faultOfField(name, value);
    if (name === "host") {
      if (host !== undefined) fault ??= "more than one Host";
      host = value;
    } else if (name === "cookie" && cookieAt > 0) rawHeaders[cookieAt] += `; ${value}`;
    else {
      if (name === "content-length") {
        if (length !== -1) fault ??= "more than one Content-Length";
        if (!contentLength.test(value)) fault ??= "a Content-Length that is not a plain number";
        length = Number(value);
      } else if (name === "cookie") cookieAt = rawHeaders.length + 1;
      rawHeaders.push(name, value);
    }
  }
  rawHeaders[1] = authority ?? host ?? "";
  // A request without a host is refused later, as in HTTP/1.1.
  if (authority === undefined && host === undefined) rawHeaders.splice(0, 2);
  return {
    method,
    target: (method === "CONNECT" && protocol === undefined ? authority : path) ?? "",
    protocol,
    rawHeaders,
    length,
    fault: fault ?? faultOfPseudo(pseudo) ?? faultOfHost(pseudo, host),
  };
}

/** Returns what is wrong with the fields of trailers, if anything (RFC 9113 section 8.1). */
export function faultOfTrailers(fields: readonly string[]): string | undefined {
  for (let index = 0; index < fields.length; index += 2) {
    const fault = faultOfField(fields[index] as string, fields[index + 1] as string);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function faultOfPseudo(pseudo: PseudoFields): string | undefined {
  const {
    ":method": method,
    ":scheme": scheme,
    ":path": path,
    ":authority": authority,
    ":protocol": protocol,
  } = pseudo;
  if (method === undefined || !token.test(method)) return "no method";
  if (protocol !== undefined && (method !== "CONNECT" || !token.test(protocol))) return "a :protocol without CONNECT";
  if (method === "CONNECT" && protocol === undefined) {
    return scheme !== undefined || path !== undefined || authority === undefined ? "a malformed CONNECT" : undefined;
  }
  // A proxy in front may have received the request over TLS, so both schemes are valid on any connection.
  if (scheme !== "http" && scheme !== "https") return "no scheme of HTTP";
  if (path === undefined || !pathText.test(path)) return "no path";
  if (path === "*" && method !== "OPTIONS") return "an asterisk in place of the path";
  return protocol !== undefined && authority === undefined ? "an extended CONNECT without an authority" : undefined;
}

/** `:authority` has no user information, and Host, if there is one, names the same entity (RFC 9113 section 8.3.1). */
function faultOfHost(pseudo: PseudoFields, host: string | undefined): string | undefined {
  const { ":authority": authority, ":scheme": scheme } = pseudo;
  if (authority === "" || (authority === undefined && host === "")) return "an empty authority";
  if (authority === undefined) return undefined;
  if (authority.includes("@")) return "an authority with user information";
  if (host === undefined || host === authority || normalized(host, scheme) === normalized(authority, scheme)) {
    return undefined;
  }
  return "a Host that differs from :authority";
}

function normalized(authority: string, scheme: string | undefined): string {
  return authority.toLowerCase().replace(scheme === "https" ? /:(?:443)?$/ : /:(?:80)?$/, "");
}

function isPseudo(name: string): boolean {
  return name.charCodeAt(0) === 0x3a;
}
