import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isLoopbackAddress } from "evenkeel";
import { HttpError } from "../http/http-error.ts";
import type { Role } from "../overview/overview.ts";
import type { AttemptLimit } from "./attempt-limit.ts";
import { isLoopbackName, isUnixSocket, parseHost } from "./local-addresses.ts";
import type { Session, Sessions } from "./sessions.ts";

/** The rules for access to an admin API. */
export interface AccessRules {
  /** SHA-256 of the operator's token. Undefined allows requests from this machine only, without a token. */
  readonly tokenDigest: Buffer | undefined;
  /** SHA-256 of the token that may only read. */
  readonly readTokenDigest: Buffer | undefined;
  /** Hosts that a Host header may name, in addition to loopback names and the local address of the connection. */
  readonly hosts: ReadonlySet<string>;
  readonly sessions: Sessions;
  /** Of wrong bearer tokens. */
  readonly bearerLimit: AttemptLimit;
}

/**
 * Who may request a resource. `probe`: everyone, with any Host. `page`: everyone; it has no data. `session`: everyone, to sign in
 * and out. `token`: who has a token or a session.
 */
export type Protection = "probe" | "page" | "session" | "token";

/** What the client of a request may do. Without a role it gets only what is open to everyone. */
export interface Access {
  readonly role: Role | null;
  /** The session that gives the role. */
  readonly session?: Session;
}

/**
 * Throws an `HttpError` for a request that is not allowed.
 *
 * A valid bearer token is enough. Without one, requests that a page of another site can make a browser send are rejected: direct
 * ones (by Origin and the Sec-Fetch headers), and those to a DNS name that resolves to this machine (DNS rebinding, by Host). A
 * probe is not a secret, so its Host is not checked: probes use the name of a service there. A viewer may only read.
 */
export function checkAccess(req: IncomingMessage, rules: AccessRules, protection: Protection): Access {
  if (req.headers.upgrade !== undefined) throw new HttpError(400, "bad_request", "the admin API takes no upgrades");
  if (rules.tokenDigest === undefined) checkLocalConnection(req);
  const token = verifyBearer(req, rules);
  if (token === "operator" || token === "viewer") return checkRole(req, { role: token }, protection);
  if (protection !== "probe") checkHost(req, rules, token);
  checkOrigin(req, protection);
  if (rules.tokenDigest === undefined) return { role: "operator" };
  const session = token === "missing" ? rules.sessions.find(req) : undefined;
  if (session !== undefined && (protection === "token" || protection === "session")) {
    checkSameOrigin(req);
    return checkRole(req, { role: session.role, session }, protection);
  }
  if (protection === "token") throw unauthorized(token);
  return { role: null };
}

/** Compares a token with both of the API, in the same time for every token, so that the time reveals nothing about them. */
export function roleOf(token: string, { tokenDigest, readTokenDigest }: AccessRules): Role | undefined {
  const given = digest(token);
  const isOperator = timingSafeEqual(given, tokenDigest ?? unused) && tokenDigest !== undefined;
  const isViewer = timingSafeEqual(given, readTokenDigest ?? unused) && readTokenDigest !== undefined;
  if (isOperator) return "operator";
  return isViewer ? "viewer" : undefined;
}

export function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** Whether a method changes nothing. */
export function isRead(method: string | undefined): boolean {
  return method === "GET" || method === "HEAD";
}

const unused = Buffer.alloc(32);

type TokenStatus = Role | "invalid" | "missing";

function verifyBearer(req: IncomingMessage, rules: AccessRules): TokenStatus {
  const given = /^Bearer +([^ ]+) *$/i.exec(req.headers.authorization ?? "")?.[1];
  if (given === undefined || rules.tokenDigest === undefined) return "missing";
  rules.bearerLimit.check(req);
  const role = roleOf(given, rules);
  if (role === undefined) rules.bearerLimit.countWrong(req);
  return role ?? "invalid";
}

function checkRole({ method }: IncomingMessage, access: Access, protection: Protection): Access {
  if (access.role === "operator" || isRead(method) || protection === "session") return access;
  throw new HttpError(403, "read_only", "this token may only read; a change needs the operator's token");
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

/** The page itself loads its scripts, styles and images without CORS. */
function checkOrigin({ headers }: IncomingMessage, protection: Protection): void {
  if (headers.origin !== undefined && !isSameOrigin(headers.origin, headers.host ?? "")) {
    throw new HttpError(403, "forbidden", "pages of another origin may not use the admin API");
  }
  const own = protection === "page" && headers["sec-fetch-site"] === "same-origin";
  if (headers["sec-fetch-mode"] === "no-cors" && !own) {
    throw new HttpError(403, "forbidden", "no-cors requests may not use the admin API");
  }
}

/**
 * A browser sends the cookie by itself, also for a page of another port of this host, which `SameSite` allows. Every browser
 * sends Origin with a change.
 */
function checkSameOrigin({ method, headers }: IncomingMessage): void {
  const site = headers["sec-fetch-site"] ?? "same-origin";
  if (site !== "same-origin" && site !== "none") {
    throw new HttpError(403, "forbidden", "pages of another origin may not use the admin API");
  }
  if (headers.origin === undefined && !isRead(method)) {
    throw new HttpError(403, "forbidden", "a change with a session needs the header Origin, which browsers send");
  }
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
