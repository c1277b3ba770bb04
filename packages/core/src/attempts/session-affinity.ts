import type { ErrorCode } from "../errors.ts";
import type { Standing } from "../pool/availability/availability.ts";
import type { Pool } from "../pool/pool.ts";
import type { Upstream } from "../pool/upstream.ts";
import type { AffinityCookie, Binding, ClientScheme } from "./affinity-cookie.ts";

/** What session affinity reads from a request. */
export interface AffinityClient {
  /** Header names and values in turn. */
  readonly head: { readonly passed: readonly string[] };
  readonly facts: ClientScheme;
}

/** What session affinity records about a request. */
export interface AffinityNotes {
  readonly flags: { add(flag: "rebound"): void };
  /** A `Set-Cookie` for a locally generated response. */
  setCookie: string | undefined;
}

/**
 * What happens to the request of a bound client:
 * - `kept`: the bound upstream serves it.
 * - `waits`: it waits for the bound upstream.
 * - `temporary`: another upstream serves it, and the client stays bound.
 * - `rebound`: another upstream serves it, and the client is bound to that one.
 * - `refused`: it gets an error.
 */
export type AffinityOutcome = "kept" | "waits" | "temporary" | "rebound" | "refused";

/** Decides from the standing of the bound upstream. In `strict` mode no other upstream may serve the client. */
export function affinityOutcome(standing: Standing, mayWait: boolean, strict: boolean): AffinityOutcome {
  if (standing === "ready") return "kept";
  if (standing === "later" && mayWait) return "waits";
  if (strict) return "refused";
  return standing === "later" ? "temporary" : "rebound";
}

/** The error for outcome `refused`, unless an attempt of the request has failed before. */
export function affinityError(standing: Standing): ErrorCode {
  return standing === "later" ? "queue_full" : "sticky_unavailable";
}

/**
 * The standing of a bound upstream. Undefined stands for the upstream of an unknown cookie, which the first DNS lookup of
 * the pool may still find.
 */
export function boundStanding(bound: Upstream | undefined, pool: Pool): Standing {
  if (bound === undefined) return pool.discoveryStatus.pending ? "later" : "gone";
  return pool.standing(bound);
}

/**
 * The session affinity of one request.
 *
 * The policy picks only when the bound upstream cannot be used. A full upstream is waited for in the queue. When that wait
 * times out, another upstream serves the request, and the client stays bound.
 */
export class SessionAffinity {
  readonly #cookie: AffinityCookie;
  readonly #client: AffinityClient;
  readonly #notes: AffinityNotes;
  #binding: Binding;
  /**
   * `bound`: only the bound upstream is used. `unbound`: any upstream, and the client is bound to the one that responds.
   * `temporary`: any upstream, and the binding stays as it is.
   */
  #mode: "bound" | "unbound" | "temporary";

  constructor(cookie: AffinityCookie, client: AffinityClient, notes: AffinityNotes) {
    this.#cookie = cookie;
    this.#client = client;
    this.#notes = notes;
    this.#binding = cookie.read(client.head.passed);
    this.#mode = this.#binding === undefined ? "unbound" : "bound";
  }

  /** The upstream that the request must use. Undefined when any upstream may serve it, or when the cookie is unknown. */
  get bound(): Upstream | undefined {
    return this.#mode === "bound" && this.#binding !== "unknown" ? this.#binding : undefined;
  }

  /** No other upstream than the bound one may serve the request. */
  get strict(): boolean {
    return this.#mode === "bound" && this.#isStrict;
  }

  /** Decides the next step of the request. Undefined: the policy picks an upstream. */
  next(pool: Pool, tried: readonly Upstream[]): Exclude<AffinityOutcome, "temporary" | "rebound"> | undefined {
    if (this.#mode !== "bound") return undefined;
    // The first lookup of the pool may have found the upstream since the cookie was read.
    if (this.#binding === "unknown") this.#binding = this.#cookie.read(this.#client.head.passed);
    const outcome = affinityOutcome(this.#standing(pool, tried), pool.queue.hasRoom, this.#isStrict);
    if (outcome !== "temporary" && outcome !== "rebound") return outcome;
    this.#mode = outcome === "temporary" ? "temporary" : "unbound";
    if (outcome === "rebound") this.#notes.flags.add("rebound");
    return undefined;
  }

  /** The error code of a request that `next` has refused. */
  refusal(pool: Pool, tried: readonly Upstream[]): ErrorCode {
    // The cookie of an upstream that no longer exists is deleted. Otherwise the client would be refused for ever.
    if (this.bound === undefined) this.#notes.setCookie = this.#cookie.release(this.#client.facts);
    return affinityError(this.#standing(pool, tried));
  }

  /** Ends the wait for the bound upstream. False in strict mode; otherwise any upstream may serve the request once. */
  becomeTemporary(): boolean {
    if (this.#mode !== "bound" || this.#isStrict) return false;
    this.#mode = "temporary";
    return true;
  }

  /** Adds the cookie that binds an unbound client to the upstream that has responded. */
  bind(headers: string[], upstream: Upstream | undefined): string[] {
    if (this.#mode !== "unbound" || upstream === undefined) return headers;
    const setCookie = this.#cookie.bind(upstream, this.#client.facts);
    if (setCookie !== undefined) headers.push("Set-Cookie", setCookie);
    return headers;
  }

  get #isStrict(): boolean {
    return this.#cookie.options.onMissing === "fail";
  }

  #standing(pool: Pool, tried: readonly Upstream[]): Standing {
    const { bound } = this;
    return bound !== undefined && tried.includes(bound) ? "gone" : boundStanding(bound, pool);
  }
}
