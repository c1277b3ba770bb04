import type { ErrorCode } from "../errors.ts";
import type { Upstream } from "../pool/upstream.ts";
import type { Waiter } from "../pool/wait-queue.ts";
import type { RoutedArrival } from "./arrival.ts";
import { boundOutcome, refusalOfBound, standingOfOwn } from "./own-upstream.ts";
import type { RequestRecord } from "./request-record.ts";
import type { Binding } from "./sticky-cookie.ts";

/** Who is told what was chosen. */
export interface ChoiceOwner {
  onChosen(upstream: Upstream): void;
  /** Nobody is left to try, or the wait for one was too long. */
  onNoneLeft(code: ErrorCode): void;
}

/**
 * Chooses an upstream for each attempt of one request, none of them twice, and waits in the queue while all are full.
 *
 * The policy has no say while a client is bound to an upstream of its own that can be had. One that is merely full is
 * waited for like any other. When there is no more waiting, another serves the request, and the client stays bound.
 */
export class UpstreamChoice implements Waiter {
  readonly #arrival: RoutedArrival;
  readonly #record: RequestRecord;
  readonly #owner: ChoiceOwner;
  readonly tried: Upstream[] = [];
  #binding: Binding;
  /** `own`: the client's own upstream alone; `any`: one that it is bound to by its answer; `guest`: one for this once. */
  #course: "own" | "any" | "guest";

  constructor(arrival: RoutedArrival, record: RequestRecord, owner: ChoiceOwner) {
    this.#arrival = arrival;
    this.#record = record;
    this.#owner = owner;
    this.#binding = arrival.route.sticky?.read(arrival.head.passed);
    this.#course = this.#binding === undefined ? "any" : "own";
  }

  next(): void {
    if (this.#course === "own" && this.#nextOwn()) return;
    if (this.#pick()) return;
    const { pool } = this.#arrival.route;
    if (!pool.mayFreeUp(this.tried)) this.#owner.onNoneLeft(this.#record.error ?? "none_available");
    else if (!this.#enterQueue()) this.#owner.onNoneLeft("queue_full");
  }

  /** Whether an upstream is left that was not tried: free, or only full. */
  get someLeft(): boolean {
    const { pool } = this.#arrival.route;
    if (this.#course === "own" && this.#faithful) return false;
    return pool.candidatesExcept(this.tried).length > 0 || pool.mayFreeUp(this.tried);
  }

  /** Adds the cookie that binds the client to the upstream that has answered, unless it is bound already. */
  bind(headers: string[]): string[] {
    const { route, facts } = this.#arrival;
    const { upstream } = this.#record;
    if (route.sticky === undefined || this.#course !== "any" || upstream === undefined) return headers;
    const setCookie = route.sticky.bind(upstream, facts);
    if (setCookie !== undefined) headers.push("Set-Cookie", setCookie);
    return headers;
  }

  /** The client has left, or has its answer. */
  stopWaiting(): void {
    this.#arrival.route.pool.queue.leave(this);
  }

  get waitsFor(): Upstream | undefined {
    return this.#course === "own" && this.#binding !== "unknown" ? this.#binding : undefined;
  }

  onRoom(): void {
    this.next();
  }

  onTimeout(): void {
    if (this.#course === "own" && !this.#faithful) {
      this.#course = "guest";
      if (this.#pick()) return;
    }
    this.#owner.onNoneLeft("queue_timeout");
  }

  /** Its own upstream or none. */
  get #faithful(): boolean {
    return this.#arrival.route.sticky?.options.onMissing === "fail";
  }

  /** False when the client is to be served by another. */
  #nextOwn(): boolean {
    const { route, head, facts } = this.#arrival;
    // While its pool was still being looked up, the client's own may have been found.
    if (this.#binding === "unknown") this.#binding = route.sticky?.read(head.passed);
    const own = this.waitsFor;
    const wasTried = own !== undefined && this.tried.includes(own);
    const standing = wasTried ? "gone" : standingOfOwn(own, route.pool);
    switch (boundOutcome(standing, route.pool.queue.hasRoom, this.#faithful)) {
      case "kept":
        this.#choose(own as Upstream);
        return true;
      case "waits":
        return this.#enterQueue();
      case "refused":
        // Whoever has a cookie of one that is gone for good would be turned away for ever.
        if (own === undefined) this.#record.setCookie = route.sticky?.release(facts);
        this.#owner.onNoneLeft((standing === "gone" && this.#record.error) || refusalOfBound(standing));
        return true;
      case "guest":
        this.#course = "guest";
        return false;
      case "rebound":
        this.#course = "any";
        this.#record.flags.add("rebound");
        return false;
    }
  }

  /** Lets the policy choose. False when there is nothing to choose from. */
  #pick(): boolean {
    const { balancer, keyOf } = this.#arrival.route;
    let upstream: Upstream | undefined;
    try {
      upstream = balancer.pick({ key: keyOf?.(this.#arrival), exclude: this.tried });
    } catch (error) {
      // A policy may be an app's own, and its mistakes are one request's: they end nothing else.
      this.#record.threw("policy", error, "policy_failed");
      this.#owner.onNoneLeft("policy_failed");
      return true;
    }
    if (upstream === undefined) return false;
    this.#choose(upstream);
    return true;
  }

  #choose(upstream: Upstream): void {
    this.tried.push(upstream);
    this.#owner.onChosen(upstream);
  }

  #enterQueue(): boolean {
    const entered = this.#arrival.route.pool.queue.enter(this);
    if (entered) this.#record.flags.add("queued");
    return entered;
  }
}
