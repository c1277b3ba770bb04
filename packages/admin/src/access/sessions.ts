import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { TLSSocket } from "node:tls";
import { limits } from "../limits.ts";
import type { Role } from "../overview/overview.ts";

/** A browser that has signed in. */
export interface Session {
  readonly role: Role;
  /** Streams that end with the session. */
  readonly streams: Set<ServerResponse>;
}

interface Entry extends Session {
  readonly timer: NodeJS.Timeout;
}

/** Cookies of one name that a request may have. More can only come from other servers of this host. */
const maxCookies = 10;

/**
 * The sessions of browsers. The cookie has a random id and never the token; the ids are kept as digests. A session ends by
 * signing out, after `limits.sessionMs`, with the admin API, and when there are too many.
 */
export class Sessions {
  /** By the digest of the id, in the order of their beginning. */
  readonly #entries = new Map<string, Entry>();

  /** Returns the value of the Set-Cookie header. Ends the session that the client has. */
  begin(req: IncomingMessage, role: Role): string {
    this.end(this.find(req));
    const same = [...this.#entries.values()].filter((entry) => entry.role === role);
    if (same.length >= limits.sessions) this.end(same[0]);
    const id = randomBytes(32).toString("base64url");
    const key = keyOf(id);
    const timer = setTimeout(() => this.end(this.#entries.get(key)), limits.sessionMs).unref();
    this.#entries.set(key, { role, streams: new Set(), timer });
    return cookie(req, id, limits.sessionMs / 1_000);
  }

  find(req: IncomingMessage): Session | undefined {
    if (this.#entries.size === 0) return undefined;
    for (const id of idsOf(req)) {
      const session = this.#entries.get(keyOf(id));
      if (session !== undefined) return session;
    }
    return undefined;
  }

  /** Ends the session with its streams. */
  end(session: Session | undefined): void {
    for (const [key, entry] of this.#entries) {
      if (entry !== session) continue;
      this.#entries.delete(key);
      clearTimeout(entry.timer);
      for (const res of entry.streams) res.end();
    }
  }

  endAll(): void {
    for (const session of [...this.#entries.values()]) this.end(session);
  }
}

/** Returns the value of the Set-Cookie header that removes the cookie. */
export function expiredCookie(req: IncomingMessage): string {
  return cookie(req, "", 0);
}

/** Without Path, so that a browser sends the cookie below the folder of /api/session only, wherever the API is mounted. */
function cookie(req: IncomingMessage, value: string, maxAge: number): string {
  const secure = req.socket instanceof TLSSocket || req.headers.origin?.startsWith("https:") === true;
  return `${cookieName(req)}=${value}; Max-Age=${maxAge}; HttpOnly; SameSite=Strict${secure ? "; Secure" : ""}`;
}

/** Browsers do not keep cookies of different ports apart, so two admin APIs on one host need two names. */
function cookieName({ headers: { host = "" } }: IncomingMessage): string {
  const port = /:(\d{1,5})$/.exec(host)?.[1];
  return port === undefined ? "evenkeel-session" : `evenkeel-session-${port}`;
}

function idsOf(req: IncomingMessage): string[] {
  const name = cookieName(req);
  const pairs = (req.headers.cookie ?? "").split(";").map((pair) => pair.trim());
  const values = pairs.filter((pair) => pair.startsWith(`${name}=`)).map((pair) => pair.slice(name.length + 1));
  return values.slice(0, maxCookies);
}

function keyOf(id: string): string {
  return createHash("sha256").update(id).digest("base64url");
}
