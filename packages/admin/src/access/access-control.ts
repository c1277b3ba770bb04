import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isLoopbackAddress } from "evenkeel";
import { HttpError } from "../http/http-error.ts";
import { isLoopbackName, isUnixSocket, parseHost } from "./local-addresses.ts";

/** The rules for access to an admin API. */
export interface AccessRules {
  /** SHA-256 of the bearer token. Undefined allows requests from this machine only, without a token. */
  readonly tokenDigest: Buffer | undefined;
  /** Hosts that a Host header may name, in addition to loopback names and the local address of the connection. */
  readonly hosts: ReadonlySet<string>;
}

/**
 * Throws an `HttpError` for a request that is not allowed. A public resource needs no token.
 *
 * A valid token is enough. Without one, requests that a page of another site can make a browser send are rejected: direct
 * ones (by Origin and Sec-Fetch-Mode), and those to a DNS name that resolves to this machine (DNS rebinding, by Host). A
 * public resource is not a secret, so its Host is not checked: probes use the name of a service there.
 */
export function checkAccess(req: IncomingMessage, rules: AccessRules, isPublic: boolean): void {
  if (req.headers.upgrade !== undefined) throw new HttpError(400, "bad_request", "the admin API takes no upgrades");
  if (rules.tokenDigest === undefined) checkLocalConnection(req);
  const token = verifyToken(req, rules.tokenDigest);
  if (token === "valid") return;
  if (!isPublic) checkHost(req, rules, token);
  checkOrigin(req);
  if (!isPublic && rules.tokenDigest !== undefined) throw unauthorized(token);
}

type TokenStatus = "valid" | "invalid" | "missing";

/** Takes the same time for every token, so that the time reveals nothing about the right one. */
function verifyToken({ headers }: IncomingMessage, expected: Buffer | undefined): TokenStatus {
  const given = /^Bearer +([^ ]+) *$/i.exec(headers.authorization ?? "")?.[1];
  if (given === undefined || expected === undefined) return "missing";
  return timingSafeEqual(digest(given), expected) ? "valid" : "invalid";
}

/** The challenge has an error only for a request with a token (RFC 6750 section 3.1). */
function unauthorized(token: TokenStatus): HttpError {
  const challenge = 'Bearer realm="evenkeel"';
  if (token === "invalid") {
    const headers = { "www-authenticate": `${challenge}, error="invalid_token"` };
    return new HttpError(401, "invalid_token", "the bearer token is not the token of the admin API", headers);
  }
  const message = 'send the header "authorization: Bearer" with the admin API\'s token';
  return new HttpError(401, "unauthorized", message, { "www-authenticate": challenge });
}

/** Browsers cannot connect to a Unix socket, so a page of another site cannot send such a request. */
function checkHost(req: IncomingMessage, rules: AccessRules, token: TokenStatus): void {
  if (isUnixSocket(req.socket) || isKnownHost(req.headers.host ?? "", req, rules)) return;
  const note = token === "invalid" ? ", and the bearer token is not the token of the admin API" : "";
  const message = `Host is neither the listen address nor a loopback name${note}; add it to "hosts" to allow it without a token`;
  throw new HttpError(421, "misdirected_request", message);
}

function checkOrigin({ headers }: IncomingMessage): void {
  if (headers.origin !== undefined && !isSameOrigin(headers.origin, headers.host ?? "")) {
    throw new HttpError(403, "forbidden", "pages of another origin may not use the admin API");
  }
  if (headers["sec-fetch-mode"] === "no-cors") {
    throw new HttpError(403, "forbidden", "no-cors requests may not use the admin API");
  }
}

export function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** Behind a proxy on this machine every client has a local address, so headers that proxies add count as remote. */
function checkLocalConnection(req: IncomingMessage): void {
  const marks = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
  const local = isUnixSocket(req.socket) || isLoopbackAddress(req.socket.localAddress ?? "");
  if (local && marks.every((name) => req.headers[name] === undefined)) return;
  throw new HttpError(
    403,
    "forbidden",
    "without a token the admin API serves loopback connections and Unix sockets only; set a token",
  );
}

function isKnownHost(authority: string, req: IncomingMessage, { hosts }: AccessRules): boolean {
  const host = parseHost(authority);
  if (host === undefined) return false;
  if (isLoopbackName(host) || hosts.has(host)) return true;
  // The local address of the connection, as a probe uses it. An attacker cannot control it, unlike a DNS name.
  return host === req.socket.localAddress?.replace(/^::ffff:/, "");
}

function isSameOrigin(origin: string, host: string): boolean {
  try {
    const { protocol, host: originHost } = new URL(origin);
    return new URL(`${protocol}//${host}`).host === originHost && originHost !== "";
  } catch {
    return false;
  }
}
