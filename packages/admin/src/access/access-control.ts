import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { Refusal } from "../http/response.ts";
import { hostOf, isLoopbackAddress, isLoopbackName, isUnixSocket } from "./local-addresses.ts";

/** Who may use an admin API. */
export interface GuardRules {
  /** SHA-256 of the bearer token; undefined leaves the API open to this machine, and to it alone. */
  readonly tokenDigest: Buffer | undefined;
  /** Hosts that a Host header may name beside loopback names and the address that was connected to. */
  readonly hosts: ReadonlySet<string>;
}

/**
 * Throws a `Refusal` for a request that may not be answered. `open` is for resources that need no token.
 *
 * A right token suffices. Without one, requests are refused that a page of another site can make a browser send: directly
 * (Origin, Sec-Fetch-Mode), or by a DNS name that it has pointed at this machine (Host). What an open resource says is no
 * secret, so it is answered whatever the Host, which probes and scrapers take from a service's name.
 */
export function checkAccess(req: IncomingMessage, rules: GuardRules, open: boolean): void {
  if (req.headers.upgrade !== undefined) throw new Refusal(400, "bad_request", "the admin API takes no upgrades");
  if (rules.tokenDigest === undefined) checkLocal(req);
  const token = judgeToken(req, rules.tokenDigest);
  if (token === "right") return;
  if (!open) checkHost(req, rules, token);
  checkBrowser(req);
  if (!open && rules.tokenDigest !== undefined) throw unauthorized(token);
}

type TokenVerdict = "right" | "wrong" | "missing";

/** In a time that does not depend on how much of the token is right. */
function judgeToken({ headers }: IncomingMessage, expected: Buffer | undefined): TokenVerdict {
  const given = /^Bearer +([^ ]+) *$/i.exec(headers.authorization ?? "")?.[1];
  if (given === undefined || expected === undefined) return "missing";
  return timingSafeEqual(digest(given), expected) ? "right" : "wrong";
}

/** RFC 6750 section 3.1: the challenge has an error only for a request that brought a token. */
function unauthorized(token: TokenVerdict): Refusal {
  const challenge = 'Bearer realm="evenkeel"';
  if (token === "wrong") {
    const headers = { "www-authenticate": `${challenge}, error="invalid_token"` };
    return new Refusal(401, "invalid_token", "the bearer token is not that of the admin API", headers);
  }
  const message = 'send the header "authorization: Bearer" with the admin API\'s token';
  return new Refusal(401, "unauthorized", message, { "www-authenticate": challenge });
}

/** No browser, and so no page of another site, can connect to a Unix socket. */
function checkHost(req: IncomingMessage, rules: GuardRules, token: TokenVerdict): void {
  if (isUnixSocket(req.socket) || isKnownHost(req.headers.host ?? "", req, rules)) return;
  const wrong = token === "wrong" ? ", and the bearer token is not that of the admin API" : "";
  const message = `Host names neither the listen address nor a loopback name${wrong}; name it in "hosts" to allow it without a token`;
  throw new Refusal(421, "misdirected_request", message);
}

function checkBrowser({ headers }: IncomingMessage): void {
  if (headers.origin !== undefined && !isSameOrigin(headers.origin, headers.host ?? "")) {
    throw new Refusal(403, "forbidden", "pages of another origin may not use the admin API");
  }
  if (headers["sec-fetch-mode"] === "no-cors") {
    throw new Refusal(403, "forbidden", "no-cors requests may not use the admin API");
  }
}

export function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** Behind a proxy on this machine every client looks local, so the marks that proxies leave count as from elsewhere. */
function checkLocal(req: IncomingMessage): void {
  const marks = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
  const local = isUnixSocket(req.socket) || isLoopbackAddress(req.socket.localAddress ?? "");
  if (local && marks.every((name) => req.headers[name] === undefined)) return;
  throw new Refusal(
    403,
    "forbidden",
    "without a token the admin API serves loopback connections and Unix sockets only; set a token",
  );
}

function isKnownHost(authority: string, req: IncomingMessage, { hosts }: GuardRules): boolean {
  const host = hostOf(authority);
  if (host === undefined) return false;
  if (isLoopbackName(host) || hosts.has(host)) return true;
  // No name that an attacker controls, but the very address: a probe that knows this machine by its IP.
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
