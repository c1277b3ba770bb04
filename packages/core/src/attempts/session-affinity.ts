import type { ErrorCode } from "../errors.ts";
import type { Pool } from "../pool/pool.ts";
import type { Upstream } from "../pool/upstream.ts";
import type { AffinityCookie, Binding, ClientScheme } from "./affinity-cookie.ts";
import { type BoundOutcome, boundOutcome, refusalOfBound, standingOfOwn } from "./affinity-outcome.ts";

/** What is read of a client's request. */
export interface AffinityClient {
  /** Header names and values by turns. */
  readonly head: { readonly passed: readonly string[] };
  readonly facts: ClientScheme;
}

/** What is recorded of a request's affinity. */
export interface AffinityNotes {
  readonly flags: { add(flag: "rebound"): void };
  /** A `Set-Cookie` for a locally generated response. */
  setCookie: string | undefined;
}

/**
 * The binding of one request's client to an upstream.
 *
 * The policy is not asked while the client's own upstream can be used. One that is merely full is waited for like any
 * other. When that wait is over, another upstream serves the request, and the client stays bound.
 */
export class SessionAffinity {
  readonly #cookie: AffinityCookie;
  readonly #client: AffinityClient;
  readonly #notes: AffinityNotes;
  #binding: Binding;
  /** `own`: the client's own upstream alone; `any`: the one that responds, which binds it; `guest`: any, for this once. */
  #course: "own" | "any" | "guest";

  constructor(cookie: AffinityCookie, client: AffinityClient, notes: AffinityNotes) {
    this.#cookie = cookie;
    this.#client = client;
    this.#notes = notes;
    this.#binding = cookie.read(client.head.passed);
    this.#course = this.#binding === undefined ? "any" : "own";
  }

  /** The upstream that the request has to use; undefined when any will do, or when it is not known. */
  get own(): Upstream | undefined {
    return this.#course === "own" && this.#binding !== "unknown" ? this.#binding : undefined;
  }

  /** Its own upstream is used, or none. */
  get strict(): boolean {
    return this.#course === "own" && this.#isStrict;
  }

  /** What becomes of the request now; undefined when the policy picks its upstream. */
  next(pool: Pool, tried: readonly Upstream[]): Exclude<BoundOutcome, "guest" | "rebound"> | undefined {
    if (this.#course !== "own") return undefined;
    // While its pool was still being looked up, the client's own upstream may have been found.
    if (this.#binding === "unknown") this.#binding = this.#cookie.read(this.#client.head.passed);
    const outcome = boundOutcome(this.#standing(pool, tried), pool.queue.hasRoom, this.#isStrict);
    if (outcome !== "guest" && outcome !== "rebound") return outcome;
    this.#course = outcome === "guest" ? "guest" : "any";
    if (outcome === "rebound") this.#notes.flags.add("rebound");
    return undefined;
  }

  /** The error of a request that `next` has refused. */
  refusal(pool: Pool, tried: readonly Upstream[]): ErrorCode {
    // With a cookie of an upstream that is gone for good, the client would be refused for ever.
    if (this.own === undefined) this.#notes.setCookie = this.#cookie.release(this.#client.facts);
    return refusalOfBound(this.#standing(pool, tried));
  }

  /** Returns whether the request may use another upstream, since the wait for its own has been too long. */
  becomeGuest(): boolean {
    if (this.#course !== "own" || this.#isStrict) return false;
    this.#course = "guest";
    return true;
  }

  /** Adds the cookie that binds the client to the upstream that has responded, unless it is bound already. */
  bind(headers: string[], upstream: Upstream | undefined): string[] {
    if (this.#course !== "any" || upstream === undefined) return headers;
    const setCookie = this.#cookie.bind(upstream, this.#client.facts);
    if (setCookie !== undefined) headers.push("Set-Cookie", setCookie);
    return headers;
  }

  get #isStrict(): boolean {
    return this.#cookie.options.onMissing === "fail";
  }

  #standing(pool: Pool, tried: readonly Upstream[]) {
    const { own } = this;
    return own !== undefined && tried.includes(own) ? "gone" : standingOfOwn(own, pool);
  }
}
