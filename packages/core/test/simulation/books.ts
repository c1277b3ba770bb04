import type { Attempt } from "../../src/pool/attempt.ts";
import type { Upstream } from "../../src/pool/upstream.ts";

/** Who has which attempts under way, counted apart from the pool. */
export class Books {
  readonly #inFlight = new Map<Upstream, number>();
  /** Attempts begun on trial, with the end of the ejection that the trial follows: an upstream may be out once more. */
  readonly #trials = new Map<Attempt, number>();

  begun(attempt: Attempt): void {
    const { upstream } = attempt;
    count(this.#inFlight, upstream, 1);
    if (upstream.onTrial && upstream.ejectedUntil !== undefined) this.#trials.set(attempt, upstream.ejectedUntil);
  }

  over(attempt: Attempt): void {
    count(this.#inFlight, attempt.upstream, -1);
    this.proven(attempt);
  }

  /** It is no longer on trial, and holds its place all the same. */
  proven(attempt: Attempt): void {
    this.#trials.delete(attempt);
  }

  inFlightOn(upstream: Upstream): number {
    return this.#inFlight.get(upstream) ?? 0;
  }

  /** The one request that an upstream on trial gets is under way. */
  hasTrial(upstream: Upstream): boolean {
    return [...this.#trials].some(([trial, end]) => trial.upstream === upstream && end === upstream.ejectedUntil);
  }
}

function count(counts: Map<Upstream, number>, upstream: Upstream, change: 1 | -1): void {
  const now = (counts.get(upstream) ?? 0) + change;
  if (now === 0) counts.delete(upstream);
  else counts.set(upstream, now);
}
