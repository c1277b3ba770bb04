import type { Attempt } from "../../src/pool/attempt.ts";
import type { Upstream } from "../../src/pool/upstream.ts";

/** Counts the attempts in flight of each upstream, independently of the pool. */
export class Books {
  readonly #inFlight = new Map<Upstream, number>();
  /** Trial attempts, with the end of the ejection before the trial, since the upstream may be ejected again. */
  readonly #trials = new Map<Attempt, number>();

  begun(attempt: Attempt): void {
    const { upstream } = attempt;
    count(this.#inFlight, upstream, 1);
    if (upstream.onTrial && upstream.ejectedUntil !== undefined) this.#trials.set(attempt, upstream.ejectedUntil);
  }

  ended(attempt: Attempt): void {
    count(this.#inFlight, attempt.upstream, -1);
    this.proven(attempt);
  }

  /** The attempt no longer counts as a trial, but keeps its place. */
  proven(attempt: Attempt): void {
    this.#trials.delete(attempt);
  }

  inFlightOn(upstream: Upstream): number {
    return this.#inFlight.get(upstream) ?? 0;
  }

  /** The one trial request of the upstream is in flight. */
  hasTrial(upstream: Upstream): boolean {
    return [...this.#trials].some(([trial, end]) => trial.upstream === upstream && end === upstream.ejectedUntil);
  }
}

function count(counts: Map<Upstream, number>, upstream: Upstream, change: 1 | -1): void {
  const now = (counts.get(upstream) ?? 0) + change;
  if (now === 0) counts.delete(upstream);
  else counts.set(upstream, now);
}
