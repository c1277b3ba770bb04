import type { Attempt } from "../../src/pool/attempt.ts";
import type { Waiter } from "../../src/pool/availability/wait-queue.ts";
import type { Outcome, Upstream } from "../../src/pool/upstream.ts";
import type { Timer } from "../../src/runtime/clock.ts";
import type { Behaviour, World } from "./world.ts";

const maxAttempts = 3;

/** The part of the world that a client uses. */
export interface ClientHost
  extends Pick<
    World,
    "pool" | "balancer" | "clock" | "random" | "books" | "waiting" | "behaviourOf" | "tunnelMs" | "ended"
  > {
  /** Called before the attempt begins. */
  onPicked(upstream: Upstream, tried: readonly Upstream[]): void;
  onEnd(client: Client, how: keyof World["ended"]): void;
}

/** One request with its retries and its wait in the queue. */
export class Client implements Waiter {
  readonly tried: Upstream[] = [];
  readonly #host: ClientHost;
  readonly #key: string;
  #attempt: Attempt | undefined;
  #timer: Timer;

  constructor(host: ClientHost, key: string) {
    this.#host = host;
    this.#key = key;
  }

  send(): void {
    const { pool, balancer, waiting } = this.#host;
    const upstream = balancer.pick({ key: this.#key, exclude: this.tried });
    if (upstream !== undefined) return this.#begin(upstream);
    if (!pool.mayFreeUp(this.tried)) return this.#host.onEnd(this, "unavailable");
    if (!pool.queue.enter(this)) return this.#host.onEnd(this, "overflowed");
    waiting.add(this);
  }

  onRoom(): void {
    this.#host.waiting.delete(this);
    this.send();
  }

  onTimeout(): void {
    this.#host.waiting.delete(this);
    this.#host.onEnd(this, "overflowed");
  }

  leave(): void {
    const { clock, pool, waiting } = this.#host;
    clock.clearTimeout(this.#timer);
    waiting.delete(this);
    pool.queue.leave(this);
    this.#settle("aborted");
    this.#host.onEnd(this, "left");
  }

  #begin(upstream: Upstream): void {
    const { pool, clock, random } = this.#host;
    this.#host.onPicked(upstream, this.tried);
    this.tried.push(upstream);
    this.#attempt = pool.begin(upstream);
    this.#host.books.begun(this.#attempt);
    const behaviour = this.#host.behaviourOf(upstream);
    const ms = behaviour.dead ? 1 : behaviour.latencyMs * (0.5 + random());
    const outcome = outcomeOf(behaviour, random());
    this.#timer = clock.setTimeout(() => this.#finish(ms, outcome), ms);
  }

  #finish(ms: number, outcome: Outcome | 200 | 503): void {
    if (typeof outcome === "number") {
      this.#attempt?.responded(ms, outcome);
      const tunnelMs = outcome === 200 ? this.#host.tunnelMs() : 0;
      if (tunnelMs > 0) this.#tunnel(tunnelMs);
      else this.#settle("success");
      return this.#host.onEnd(this, outcome === 200 ? "responded" : "failed");
    }
    this.#settle(outcome);
    if (this.tried.length < maxAttempts) this.send();
    else this.#host.onEnd(this, "failed");
  }

  /** The tunnel keeps the place of the attempt while it is open. */
  #tunnel(ms: number): void {
    const { books, clock } = this.#host;
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    this.#attempt = undefined;
    books.proven(attempt);
    const close = attempt.becomeTunnel();
    clock.setTimeout(() => {
      books.ended(attempt);
      close();
    }, ms);
  }

  /** Updates the books first: a request woken by `settle` must not see this attempt. */
  #settle(outcome: Outcome): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    this.#attempt = undefined;
    this.#host.books.ended(attempt);
    attempt.settle(outcome);
  }
}

function outcomeOf({ dead, failing }: Behaviour, random: number): Outcome | 200 | 503 {
  if (dead) return "connect_refused";
  if (random >= failing) return 200;
  return random < failing / 2 ? "reset" : 503;
}
