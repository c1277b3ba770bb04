import type { Duplex } from "node:stream";
import type { Balancer } from "../balancer/balancer.ts";
import type { ErrorCode } from "../errors.ts";
import type { Waiter } from "../pool/availability/wait-queue.ts";
import type { Pool } from "../pool/pool.ts";
import type { Upstream } from "../pool/upstream.ts";
import type { SessionAffinity } from "./session-affinity.ts";

/** A pool, and what chooses among its upstreams. */
export interface SelectorPool {
  readonly pool: Pool;
  readonly balancer: Pick<Balancer, "pick">;
}

export interface SelectorInput {
  readonly to: SelectorPool;
  /** What a hashing policy hashes. */
  readonly key: string | undefined;
  readonly affinity: SessionAffinity | undefined;
  /** The connection that the request came over; undefined for requests of the app's own, and where HTTP/2 shares it. */
  readonly client?: Duplex | undefined;
}

export interface SelectorOwner {
  /** `lastResort`: the upstream is not available, and nothing that is could be connected. */
  onChosen(upstream: Upstream, lastResort: boolean): void;
  /** The request waits for an upstream with room. */
  onQueued(): void;
  /** No upstream is left, or the wait for one was too long. */
  onNoneLeft(code: ErrorCode, cause?: unknown): void;
}

/**
 * Chooses an upstream for each attempt of one request, and waits in the queue while all are full.
 *
 * Upstreams are tried in rounds, none twice in one: the available ones, and when those could not be connected, the half-open,
 * ejected and unhealthy ones.
 */
export class UpstreamSelector implements Waiter {
  /** Those of this round. */
  tried: Upstream[] = [];
  readonly #to: SelectorPool;
  readonly #key: string | undefined;
  readonly #affinity: SessionAffinity | undefined;
  readonly #client: Duplex | undefined;
  readonly #owner: SelectorOwner;
  #lastResort = false;

  constructor({ to, key, affinity, client }: SelectorInput, owner: SelectorOwner) {
    this.#to = to;
    this.#key = key;
    this.#affinity = affinity;
    this.#client = client;
    this.#owner = owner;
  }

  next(): void {
    if (this.#affinity !== undefined && this.#nextOwn(this.#affinity)) return;
    if (this.#chooseAuthenticated() || this.#pick(false)) return;
    const { pool } = this.#to;
    if (pool.mayFreeUp(this.tried)) {
      if (!this.#enterQueue()) this.#owner.onNoneLeft("queue_full");
    } else if (!this.#lastResort || !this.#pick(true)) {
      this.#owner.onNoneLeft("none_available");
    }
  }

  /** From now on, in this round, upstreams that are not available may be chosen once the available ones are tried. */
  allowLastResort(): void {
    this.#lastResort = true;
  }

  /** Begins another round, with upstreams that are not available from the start or not. */
  startRound(lastResort: boolean): void {
    this.tried = [];
    this.#lastResort = lastResort;
  }

  /** Whether an upstream is left that was not tried in this round: with room, or only full. */
  get untriedLeft(): boolean {
    if (this.#affinity?.strict === true) return false;
    const { pool } = this.#to;
    if (pool.candidatesExcept(this.tried).length > 0 || pool.mayFreeUp(this.tried)) return true;
    return this.#lastResort && pool.lastResort(this.tried).length > 0;
  }

  /** Whether the pool has an upstream for this request, tried or not. */
  get someLeft(): boolean {
    const { pool } = this.#to;
    if (this.#affinity?.strict === true) {
      return this.#affinity.own !== undefined && pool.standing(this.#affinity.own) !== "gone";
    }
    return pool.candidates.length > 0 || pool.mayFreeUp([]);
  }

  /** The request has ended. */
  stopWaiting(): void {
    this.#to.pool.queue.leave(this);
  }

  get waitsFor(): Upstream | undefined {
    return this.#affinity?.own;
  }

  onRoom(): void {
    this.next();
  }

  onTimeout(): void {
    if (this.#affinity?.becomeGuest() !== true || !this.#pick(false)) this.#owner.onNoneLeft("queue_timeout");
  }

  /** The upstream that has a connection of its own for the client's, if it can be used. False when the policy picks. */
  #chooseAuthenticated(): boolean {
    const { pool } = this.#to;
    const { authenticated } = pool.connector;
    const client = this.#client;
    if (client === undefined || !authenticated.knows(client)) return false;
    const own = pool.upstreams.find(({ address }) => authenticated.has(client, address));
    if (own === undefined || this.tried.includes(own) || pool.standing(own) !== "ready") return false;
    this.#choose(own, false);
    return true;
  }

  /** False when the policy picks. */
  #nextOwn(affinity: SessionAffinity): boolean {
    const { pool } = this.#to;
    switch (affinity.next(pool, this.tried)) {
      case "kept":
        this.#choose(affinity.own as Upstream, false);
        return true;
      case "waits":
        // `next` has asked whether the queue has room.
        return this.#enterQueue();
      case "refused":
        if (this.#lastResort && this.#chooseOwnAsLastResort(affinity)) return true;
        this.#owner.onNoneLeft(affinity.refusal(pool, this.tried));
        return true;
      case undefined:
        return false;
    }
  }

  /** The failures of a request that waits to reconnect may have ejected the only upstream that it can use. */
  #chooseOwnAsLastResort({ own }: SessionAffinity): boolean {
    if (own === undefined || !this.#to.pool.lastResort(this.tried).includes(own)) return false;
    this.#choose(own, true);
    return true;
  }

  /** Lets the policy choose. False when there is nothing to choose from. */
  #pick(lastResort: boolean): boolean {
    let upstream: Upstream | undefined;
    try {
      upstream = this.#to.balancer.pick({ key: this.#key, exclude: this.tried, lastResort });
    } catch (error) {
      // A policy may be an app's own: an exception in it fails one request.
      this.#owner.onNoneLeft("policy_failed", error);
      return true;
    }
    if (upstream === undefined) return false;
    this.#choose(upstream, lastResort);
    return true;
  }

  #choose(upstream: Upstream, lastResort: boolean): void {
    this.tried.push(upstream);
    this.#owner.onChosen(upstream, lastResort);
  }

  #enterQueue(): boolean {
    const entered = this.#to.pool.queue.enter(this);
    if (entered) this.#owner.onQueued();
    return entered;
  }
}
