/**
 * The cookie that binds a client to an upstream of a pool.
 *
 * Its value is HMAC-SHA256 over the pool's name and the upstream's id. With the same secret every replica computes the same
 * value, also after a restart; without the secret a value neither reveals nor selects an upstream. Each value is computed
 * once, when the upstream is first seen.
 *
 * A value is looked up by its first characters, and the whole is compared in constant time (a split token). So response
 * times reveal neither the number of upstreams nor how close a guess is.
 */

import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import createDebug from "debug";
import { limits } from "../config/defaults.ts";
import type { ResolvedSticky } from "../config/resolved.ts";
import { cookieValues } from "../http1/cookies.ts";
import type { Pool } from "../pool/pool.ts";
import type { Upstream } from "../pool/upstream.ts";

const debug = createDebug("evenkeel:forward");

/** For pools without a configured secret. Reloads keep it. */
const secretOfThisProcess = randomBytes(32);

/** The characters of a value that the lookup uses: 72 of 256 bits. */
const selectorLength = 12;

interface Token {
  readonly upstream: Upstream;
  readonly value: string;
  readonly bytes: Buffer;
}

/** The upstream that a client is bound to. "unknown": the cookie matches no current upstream. Undefined: no cookie. */
export type Binding = Upstream | "unknown" | undefined;

/** The scheme of the client's connection, from a trusted source. It decides on the Secure attribute. */
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
      debug("pool %s has no sticky secret: its cookies are invalid in other processes and after a restart", pool.name);
  }

  /** Reads the cookie from request headers. The first valid value counts, since a sibling domain may have set another. */
  read(headers: readonly string[]): Binding {
    const values = cookieValues(headers, this.options.cookie, limits.stickyCookies);
    for (const value of values) {
      const upstream = this.#find(value);
      if (upstream !== undefined) return upstream;
    }
    return values.length === 0 ? undefined : "unknown";
  }

  /** The `Set-Cookie` value that binds a client. Undefined when the upstream has left the pool. */
  bind(upstream: Upstream, client: ClientScheme): string | undefined {
    this.#refresh();
    const token = this.#byId.get(upstream.id);
    const { ttlMs } = this.options;
    return token && this.#setCookie(token.value, ttlMs === 0 ? "" : `; Max-Age=${Math.round(ttlMs / 1_000)}`, client);
  }

  /** The `Set-Cookie` value that deletes a client's cookie. */
  release(client: ClientScheme): string {
    return this.#setCookie("", "; Max-Age=0", client);
  }

  /** `Path=/`, since a browser does not know mount paths and stripped prefixes. */
  #setCookie(value: string, age: string, { proto }: ClientScheme): string {
    // X-Forwarded-Proto of a trusted proxy may be a list, or "wss".
    const secure = /^(?:https|wss)\b/i.test(proto) ? "; Secure" : "";
    return `${this.options.cookie}=${value}; Path=/${age}; HttpOnly; SameSite=Lax${secure}`;
  }

  #find(value: string): Upstream | undefined {
    this.#refresh();
    const token = this.#bySelector.get(value.slice(0, selectorLength));
    if (token === undefined || value.length !== token.value.length) return undefined;
    return timingSafeEqual(Buffer.from(value, "latin1"), token.bytes) ? token.upstream : undefined;
  }

  /** Pools replace their list of upstreams on every change, so an identical list has not changed. */
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
