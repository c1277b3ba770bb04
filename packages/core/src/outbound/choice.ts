import type { Balancer } from "../balancer/balancer.ts";
import type { ErrorCode } from "../errors.ts";
import type { Pool } from "../pool/pool.ts";
import type { Upstream } from "../pool/upstream.ts";
import type { Waiter } from "../pool/wait-queue.ts";

/** Where requests go, and who chooses there. */
export interface OutboundPool {
  readonly pool: Pool;
  readonly balancer: Balancer;
}

/** Who is told what was chosen. */
export interface ChoiceOwner {
  onChosen(upstream: Upstream): void;
  /** Nobody is left to try, or the wait for one was too long. */
  onNoneLeft(code: ErrorCode, cause?: unknown): void;
}

/** Chooses an upstream for each attempt of one request, none of them twice, and waits in the queue while all are full. */
export class Choice implements Waiter {
  readonly tried: Upstream[] = [];
  readonly #to: OutboundPool;
  readonly #key: string | undefined;
  readonly #owner: ChoiceOwner;

  constructor(to: OutboundPool, key: string | undefined, owner: ChoiceOwner) {
    this.#to = to;
    this.#key = key;
    this.#owner = owner;
  }

  next(): void {
    const { pool, balancer } = this.#to;
    let upstream: Upstream | undefined;
    try {
      upstream = balancer.pick({ key: this.#key, exclude: this.tried });
    } catch (error) {
      return this.#owner.onNoneLeft("policy_failed", error);
    }
    if (upstream !== undefined) {
      this.tried.push(upstream);
      return this.#owner.onChosen(upstream);
    }
    if (!pool.mayFreeUp(this.tried)) this.#owner.onNoneLeft("none_available");
    else if (!pool.queue.enter(this)) this.#owner.onNoneLeft("queue_full");
  }

  /** Whether an upstream is left that was not tried: free, or only full. */
  get someLeft(): boolean {
    const { pool } = this.#to;
    return pool.candidatesExcept(this.tried).length > 0 || pool.mayFreeUp(this.tried);
  }

  stopWaiting(): void {
    this.#to.pool.queue.leave(this);
  }

  onRoom(): void {
    this.next();
  }

  onTimeout(): void {
    this.#owner.onNoneLeft("queue_timeout");
  }
}
