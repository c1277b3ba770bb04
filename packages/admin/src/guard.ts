import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { hostOf, isLoopbackAddress, isLoopbackName } from "./addresses.ts";
import { Refusal } from "./answer.ts";

/** Who may use an admin API. */
export interface GuardRules {
  /** SHA-256 of the bearer token; undefined leaves the API open to this machine, and to it alone. */
  readonly tokenDigest: Buffer | undefined;
  /** Hosts that a Host header may name beside loopback names and the address that was connected to. */
  readonly hosts: ReadonlySet<string>;
}

/**
 * Turns down what no honest client sends: connections from elsewhere without a token, and requests that a page of
 * another site makes a browser send, be it straight (Origin, Sec-Fetch-Mode) or by a DNS name that it has pointed at
 * this machine (Host).
 */
export function checkOrigin(req: IncomingMessage, rules: GuardRules): void {
  if (req.headers.upgrade !== undefined) throw new Refusal(400, "bad_request", "the admin API takes no upgrades");
  if (rules.tokenDigest === undefined) checkLocal(req);
  const host = req.headers.host ?? "";
  if (!isKnownHost(host, req, rules)) {
    const message = "Host names neither the listen address nor a loopback name; name it in `listen` to allow it";
    throw new Refusal(421, "misdirected_request", message);
  }
  const origin = req.headers.origin;
  if (origin !== undefined && !isSameOrigin(origin, host)) {
    throw new Refusal(403, "forbidden", "pages of another origin may not use the admin API");
  }
  if (req.headers["sec-fetch-mode"] === "no-cors") {
    throw new Refusal(403, "forbidden", "no-cors requests may not use the admin API");
  }
}

/** Asks for the bearer token, in a time that does not depend on how much of it is right. */
export function checkToken(req: IncomingMessage, { tokenDigest }: GuardRules): void {
  if (tokenDigest === undefined) return;
  const given = /^Bearer +([^ ]+) *$/i.exec(req.headers.authorization ?? "")?.[1];
  if (given !== undefined && timingSafeEqual(digest(given), tokenDigest)) return;
  const challenge = `Bearer realm="evenkeel"${given === undefined ? "" : ', error="invalid_token"'}`;
  const message = 'send the header "authorization: Bearer" with the admin API\'s token';
  throw new Refusal(401, "unauthorized", message, { "www-authenticate": challenge });
}

export function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** Behind a proxy on this machine everybody looks local, so the marks that proxies leave count as from elsewhere. */
function checkLocal(req: IncomingMessage): void {
  const marks = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
  const local = isLoopbackAddress(req.socket.localAddress ?? "");
  if (local && marks.every((name) => req.headers[name] === undefined)) return;
  throw new Refusal(403, "forbidden", "without a token the admin API serves loopback connections only; set a token");
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
