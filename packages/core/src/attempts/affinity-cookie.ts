/**
 * The cookie that binds a client to an upstream of a pool.
 *
 * Its value is HMAC-SHA256 over the pool's name and the upstream's id: whoever has the secret comes to the same one, on
 * every replica and after a restart, and nobody else can tell or choose an upstream by it. Each is computed once, when
 * the upstream is first seen.
 *
 * A value is looked up by its beginning and compared from there on in constant time (a split token), so that neither the
 * number of upstreams nor how near a guess comes can be measured.
 */

import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import createDebug from "debug";
import { limits } from "../config/defaults.ts";
import type { ResolvedSticky } from "../config/resolved.ts";
import { cookieValues } from "../http1/cookies.ts";
import type { Pool } from "../pool/pool.ts";
import type { Upstream } from "../pool/upstream.ts";

const debug = createDebug("evenkeel:forward");

/** For pools that have none of their own. Stays the same over reloads. */
const secretOfThisProcess = randomBytes(32);

/** Characters that an upstream is looked up by: 72 of 256 bits. */
const selectorLength = 12;

interface Token {
  readonly upstream: Upstream;
  readonly value: string;
  readonly bytes: Buffer;
}

/** The upstream that a client is bound to; "unknown" for a cookie of no current upstream, undefined without a cookie. */
export type Binding = Upstream | "unknown" | undefined;

/** The scheme that the client connected with, as far as it is trusted: it decides on the Secure attribute. */
export interface ClientScheme {
  readonly proto: string;
}

export class AffinityCookie {
  readonly options: ResolvedSticky;
  readonly #pool: Pool;
  readonly #secret: string | Buffer;
  #members: readonly Upstream[] = [];
  #byId = new Map<string, Token>();
  #bySelector = new Map<string, Token>();

  constructor(pool: Pool, options: ResolvedSticky) {
    this.options = options;
    this.#pool = pool;
    this.#secret = options.secret ?? secretOfThisProcess;
    if (options.secret === undefined)
      debug("pool %s has no sticky secret: its cookies mean nothing to other processes or after a restart", pool.name);
  }

  /** Reads a request's headers. Of several cookies the first that holds counts: a sibling domain may have set another. */
  read(headers: readonly string[]): Binding {
    const values = cookieValues(headers, this.options.cookie, limits.stickyCookies);
    for (const value of values) {
      const upstream = this.#find(value);
      if (upstream !== undefined) return upstream;
    }
    return values.length === 0 ? undefined : "unknown";
  }

  /** The `Set-Cookie` that binds a client; undefined when the upstream has left meanwhile. */
  bind(upstream: Upstream, client: ClientScheme): string | undefined {
    this.#refresh();
    const token = this.#byId.get(upstream.id);
    const { ttlMs } = this.options;
    return token && this.#setCookie(token.value, ttlMs === 0 ? "" : `; Max-Age=${Math.round(ttlMs / 1_000)}`, client);
  }

  /** The `Set-Cookie` that takes a client's cookie back. */
  release(client: ClientScheme): string {
    return this.#setCookie("", "; Max-Age=0", client);
  }

  /** For every path, since a browser knows nothing of what is mounted where and which prefixes are stripped. */
  #setCookie(value: string, age: string, { proto }: ClientScheme): string {
    // A trusted proxy in front may tell of a chain, or of a WebSocket.
    const secure = /^(?:https|wss)\b/i.test(proto) ? "; Secure" : "";
    return `${this.options.cookie}=${value}; Path=/${age}; HttpOnly; SameSite=Lax${secure}`;
  }

  #find(value: string): Upstream | undefined {
    this.#refresh();
    const token = this.#bySelector.get(value.slice(0, selectorLength));
    if (token === undefined || value.length !== token.value.length) return undefined;
    return timingSafeEqual(Buffer.from(value, "latin1"), token.bytes) ? token.upstream : undefined;
  }

  /** Pools replace the list of their members whenever it changes. */
  #refresh(): void {
    const { upstreams } = this.#pool;
    if (upstreams === this.#members) return;
    const tokens = upstreams.map((upstream) => this.#tokenOf(upstream));
    this.#members = upstreams;
    this.#byId = new Map(tokens.map((token) => [token.upstream.id, token]));
    this.#bySelector = new Map(tokens.map((token) => [token.value.slice(0, selectorLength), token]));
  }

  #tokenOf(upstream: Upstream): Token {
    const known = this.#byId.get(upstream.id);
    if (known !== undefined) return { ...known, upstream };
    const name = JSON.stringify([this.#pool.name, upstream.id]);
    const value = createHmac("sha256", this.#secret).update(name).digest("base64url");
    return { upstream, value, bytes: Buffer.from(value, "latin1") };
  }
}
