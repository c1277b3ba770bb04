import type { Attempt } from "../../src/pool/attempt.ts";
import type { Upstream } from "../../src/pool/upstream.ts";

/** Who has which attempts under way, counted apart from the pool. */
export class Books {
  readonly #inFlight = new Map<Upstream, number>();
  readonly #trials = new Map<Upstream, number>();

  begun({ upstream, onTrial }: Attempt): void {
    count(this.#inFlight, upstream, 1);
    if (onTrial) count(this.#trials, upstream, 1);
  }

  over({ upstream, onTrial }: Attempt): void {
    count(this.#inFlight, upstream, -1);
    if (onTrial) count(this.#trials, upstream, -1);
  }

  inFlightOn(upstream: Upstream): number {
    return this.#inFlight.get(upstream) ?? 0;
  }

  /** The one request that an upstream on trial gets is under way. */
  hasTrial(upstream: Upstream): boolean {
    return (this.#trials.get(upstream) ?? 0) > 0;
  }
}

function count(counts: Map<Upstream, number>, upstream: Upstream, change: 1 | -1): void {
  const now = (counts.get(upstream) ?? 0) + change;
  if (now === 0) counts.delete(upstream);
  else counts.set(upstream, now);
}
