import type { Duplex } from "node:stream";
import type { Balancer } from "../balancer/balancer.ts";
import type { ErrorCode } from "../errors.ts";
import type { Waiter } from "../pool/availability/wait-queue.ts";
import type { Pool } from "../pool/pool.ts";
import type { Upstream } from "../pool/upstream.ts";
import type { PickedBy } from "../tracing/messages.ts";
import type { SessionAffinity } from "./session-affinity.ts";

/** A pool and its balancer. */
export interface BalancedPool {
  readonly pool: Pool;
  readonly balancer: Pick<Balancer, "pick"> & Partial<Pick<Balancer, "policy">>;
}

export interface SelectionInput {
  /** The pool of the request's route with its balancer, as they were when the request arrived. */
  readonly to: BalancedPool;
  /** The key for a hashing policy. */
  readonly key: string | undefined;
  readonly affinity: SessionAffinity | undefined;
  /** The connection of the client. Undefined for outbound requests and where HTTP/2 shares the connection. */
  readonly client?: Duplex | undefined;
}

export interface SelectionHandler {
  /** `lastResort`: no available upstream could be connected, and this one is not available. */
  onSelected(upstream: Upstream, lastResort: boolean, by: PickedBy): void;
  /** The request waits for an upstream with room. */
  onQueued(): void;
  /** No upstream is left, or the wait for one was too long. */
  onNoUpstream(code: ErrorCode, cause?: unknown): void;
}

/**
 * Selects an upstream for each attempt of one request, and waits in the queue while all upstreams are full.
 *
 * A request tries upstreams in rounds, each upstream once in a round: first the available ones, then, if none of them could
 * be connected, the half-open, ejected and unhealthy ones.
 */
export class UpstreamSelector implements Waiter {
  /** The upstreams tried in this round. */
  tried: Upstream[] = [];
  readonly #to: BalancedPool;
  readonly #key: string | undefined;
  readonly #affinity: SessionAffinity | undefined;
  readonly #client: Duplex | undefined;
  readonly #handler: SelectionHandler;
  #lastResort = false;

  constructor({ to, key, affinity, client }: SelectionInput, handler: SelectionHandler) {
    this.#to = to;
    this.#key = key;
    this.#affinity = affinity;
    this.#client = client;
    this.#handler = handler;
  }

  next(): void {
    if (this.#affinity !== undefined && this.#nextBound(this.#affinity)) return;
    if (this.#selectAuthenticated() || this.#pick(false)) return;
    const { pool } = this.#to;
    if (pool.mayFreeUp(this.tried)) {
      if (!this.#enterQueue()) this.#handler.onNoUpstream("queue_full");
    } else if (!this.#lastResort || !this.#pick(true)) {
      this.#handler.onNoUpstream("none_available");
    }
  }

  /** For the rest of this round: once the available upstreams are tried, the others may be selected. */
  allowLastResort(): void {
    this.#lastResort = true;
  }

  /** Begins another round. `lastResort`: upstreams that are not available may be selected from its start. */
  startRound(lastResort: boolean): void {
    this.tried = [];
    this.#lastResort = lastResort;
  }

  /** Whether this round has an untried upstream left, be it full or not. */
  get hasUntried(): boolean {
    if (this.#affinity?.strict === true) return false;
    const { pool } = this.#to;
    if (pool.candidatesExcept(this.tried).length > 0 || pool.mayFreeUp(this.tried)) return true;
    return this.#lastResort && pool.lastResort(this.tried).length > 0;
  }

  /** Whether the pool has an upstream for this request, tried or not. */
  get hasUpstream(): boolean {
    const { pool } = this.#to;
    if (this.#affinity?.strict === true) {
      return this.#affinity.bound !== undefined && pool.standing(this.#affinity.bound) !== "gone";
    }
    return pool.candidates.length > 0 || pool.mayFreeUp([]);
  }

  /** The upstreams tried in this round before the one that was selected last. */
  get triedBefore(): readonly Upstream[] {
    return this.tried.slice(0, -1);
  }

  /** Leaves the queue. */
  stopWaiting(): void {
    this.#to.pool.queue.leave(this);
  }

  get waitsFor(): Upstream | undefined {
    return this.#affinity?.bound;
  }

  onRoom(): void {
    this.next();
  }

  onTimeout(code: "queue_timeout" | "queue_full"): void {
    if (this.#affinity?.becomeTemporary() !== true || !this.#pick(false)) this.#handler.onNoUpstream(code);
  }

  /**
   * Selects the upstream that holds an authenticated connection of this client (NTLM authenticates connections, not
   * requests). False when there is none, or it cannot be used.
   */
  #selectAuthenticated(): boolean {
    const { pool } = this.#to;
    const { authenticated } = pool.connector;
    const client = this.#client;
    if (client === undefined || !authenticated.knows(client)) return false;
    const upstream = pool.upstreams.find(({ address }) => authenticated.has(client, address));
    if (upstream === undefined || this.tried.includes(upstream) || pool.standing(upstream) !== "ready") return false;
    this.#select(upstream, false, "authenticated");
    return true;
  }

  /** Handles a bound client. False when the policy picks. */
  #nextBound(affinity: SessionAffinity): boolean {
    const { pool } = this.#to;
    switch (affinity.next(pool, this.tried)) {
      case "kept":
        this.#select(affinity.bound as Upstream, false, "affinity");
        return true;
      case "waits":
        // `next` has checked that the queue has room.
        return this.#enterQueue();
      case "refused":
        if (this.#lastResort && this.#selectBoundAsLastResort(affinity)) return true;
        this.#handler.onNoUpstream(affinity.refusal(pool, this.tried));
        return true;
      case undefined:
        return false;
    }
  }

  /** The failures of a request that reconnects after an outage may have ejected the only upstream that it can use. */
  #selectBoundAsLastResort({ bound }: SessionAffinity): boolean {
    if (bound === undefined || !this.#to.pool.lastResort(this.tried).includes(bound)) return false;
    this.#select(bound, true, "affinity");
    return true;
  }

  /** Lets the policy pick. False when there is no candidate. */
  #pick(lastResort: boolean): boolean {
    let upstream: Upstream | undefined;
    try {
      upstream = this.#to.balancer.pick({ key: this.#key, exclude: this.tried, lastResort });
    } catch (error) {
      // An exception in a custom policy fails this request only.
      this.#handler.onNoUpstream("policy_failed", error);
      return true;
    }
    if (upstream === undefined) return false;
    this.#select(upstream, lastResort, "policy");
    return true;
  }

  #select(upstream: Upstream, lastResort: boolean, by: PickedBy): void {
    this.tried.push(upstream);
    this.#handler.onSelected(upstream, lastResort, by);
  }

  #enterQueue(): boolean {
    const entered = this.#to.pool.queue.enter(this);
    if (entered) this.#handler.onQueued();
    return entered;
  }
}
