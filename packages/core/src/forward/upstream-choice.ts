import createDebug from "debug";
import type { ErrorCode } from "../errors.ts";
import type { Upstream } from "../pool/upstream.ts";
import type { Waiter } from "../pool/wait-queue.ts";
import type { RoutedArrival } from "./arrival.ts";
import type { RequestRecord } from "./request-record.ts";

const debug = createDebug("evenkeel:forward");

/** Who is told what was chosen. */
export interface ChoiceOwner {
  onChosen(upstream: Upstream): void;
  /** Nobody is left to try, or the wait for one was too long. */
  onNoneLeft(code: ErrorCode): void;
}

/** Chooses an upstream for each attempt of one request, none of them twice, and waits in the queue while all are full. */
export class UpstreamChoice implements Waiter {
  readonly #arrival: RoutedArrival;
  readonly #record: RequestRecord;
  readonly #owner: ChoiceOwner;
  readonly tried: Upstream[] = [];

  constructor(arrival: RoutedArrival, record: RequestRecord, owner: ChoiceOwner) {
    this.#arrival = arrival;
    this.#record = record;
    this.#owner = owner;
  }

  next(): void {
    const { pool, balancer, keyOf } = this.#arrival.route;
    let upstream: Upstream | undefined;
    try {
      upstream = balancer.pick({ key: keyOf?.(this.#arrival), exclude: this.tried });
    } catch (error) {
      // A policy may be an app's own, and its mistakes are one request's: they end nothing else.
      debug("nothing was picked in pool %s: %O", pool.name, error);
      return this.#owner.onNoneLeft("policy_failed");
    }
    if (upstream !== undefined) {
      this.tried.push(upstream);
      return this.#owner.onChosen(upstream);
    }
    if (!pool.mayFreeUp(this.tried)) return this.#owner.onNoneLeft(this.#record.error ?? "none_available");
    if (!pool.queue.enter(this)) return this.#owner.onNoneLeft("queue_full");
    this.#record.flags.add("queued");
  }

  /** Whether an upstream is left that was not tried: free, or only full. */
  get someLeft(): boolean {
    const { pool } = this.#arrival.route;
    return pool.candidatesExcept(this.tried).length > 0 || pool.mayFreeUp(this.tried);
  }

  /** The client has left, or has its answer. */
  stopWaiting(): void {
    this.#arrival.route.pool.queue.leave(this);
  }

  onRoom(): void {
    this.next();
  }

  onTimeout(): void {
    this.#owner.onNoneLeft("queue_timeout");
  }
}
