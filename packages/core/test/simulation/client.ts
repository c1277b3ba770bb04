import type { Attempt } from "../../src/pool/attempt.ts";
import type { Waiter } from "../../src/pool/availability/wait-queue.ts";
import type { Outcome, Upstream } from "../../src/pool/upstream.ts";
import type { Timer } from "../../src/runtime/clock.ts";
import type { Behaviour, World } from "./world.ts";

const mostAttempts = 3;

/** What a client needs of the world, and tells it. */
export interface ClientHost
  extends Pick<
    World,
    "pool" | "balancer" | "clock" | "random" | "books" | "waiting" | "behaviourOf" | "tunnelMs" | "ended"
  > {
  /** Called before the attempt begins. */
  onPicked(upstream: Upstream, tried: readonly Upstream[]): void;
  onEnd(client: Client, how: keyof World["ended"]): void;
}

/** One request, with its retries and its patience. */
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
    if (!pool.mayFreeUp(this.tried)) return this.#host.onEnd(this, "nobody");
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
    const fate = fateOf(behaviour, random());
    this.#timer = clock.setTimeout(() => this.#finish(ms, fate), ms);
  }

  #finish(ms: number, fate: Outcome | 200 | 503): void {
    if (typeof fate === "number") {
      this.#attempt?.responded(ms, fate);
      const tunnelMs = fate === 200 ? this.#host.tunnelMs() : 0;
      if (tunnelMs > 0) this.#tunnel(tunnelMs);
      else this.#settle("success");
      return this.#host.onEnd(this, fate === 200 ? "answered" : "failed");
    }
    this.#settle(fate);
    if (this.tried.length < mostAttempts) this.send();
    else this.#host.onEnd(this, "failed");
  }

  /** Its place stays taken for as long as the tunnel is open. */
  #tunnel(ms: number): void {
    const { books, clock } = this.#host;
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    this.#attempt = undefined;
    books.proven(attempt);
    const close = attempt.becomeTunnel();
    clock.setTimeout(() => {
      books.over(attempt);
      close();
    }, ms);
  }

  /** Nobody may come in between: whoever is let in by the settling must see this attempt gone. */
  #settle(outcome: Outcome): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    this.#attempt = undefined;
    this.#host.books.over(attempt);
    attempt.settle(outcome);
  }
}

function fateOf({ dead, failing }: Behaviour, chance: number): Outcome | 200 | 503 {
  if (dead) return "connect_refused";
  if (chance >= failing) return 200;
  return chance < failing / 2 ? "reset" : 503;
}
