/**
 * Dynamic weighting: upstreams that fare worse than their fellows lose share, and win it back.
 *
 * Every interval each upstream is rated by its failure ratio and by its mean time to response headers. One that stands out
 * against the pool's median by more than the median absolute deviation explains, half as much again, is bad (the split
 * of vulcand/oxy's rebalancer): its factor is quartered, down to 1/16. The others' factors double back to 1. After a
 * change nothing moves for a while, so that the next rating sees its effect. Oxy raises the good ones instead; to
 * lower the bad ones keeps the weights in their range and the rest of the pool as it was configured.
 *
 * An upstream with too few requests to be rated counts as good: that is how one at the floor comes back.
 */

import { limits } from "../config/defaults.ts";
import type { ResolvedWeights } from "../config/resolved.ts";
import type { AttemptObserver } from "../pool/accounts.ts";
import type { Attempt } from "../pool/attempt.ts";
import type { Pool } from "../pool/pool.ts";
import type { Outcome, Upstream } from "../pool/upstream.ts";
import type { Timer } from "../runtime/clock.ts";
import type { Runtime } from "../runtime/runtime.ts";

interface Tally {
  requests: number;
  failures: number;
  answers: number;
  /** Over the answers. */
  headersMs: number;
}

interface Rating {
  readonly upstream: Upstream;
  readonly failureRatio: number;
  readonly latencyMs: number;
}

/** What a rating has to exceed its measure by, however even the pool is: an odd failure and a few milliseconds are noise. */
const noise = { failureRatio: 0.05, latencyMs: 10 };

export class WeightFeedback implements AttemptObserver {
  readonly #pool: Pool;
  readonly #runtime: Runtime;
  readonly #options: ResolvedWeights;
  #tallies = new Map<Upstream, Tally>();
  #frozenUntil = -Infinity;
  #timer: Timer;
  #stopObserving: (() => void) | undefined;

  constructor(pool: Pool, options: ResolvedWeights, runtime: Runtime) {
    this.#pool = pool;
    this.#options = options;
    this.#runtime = runtime;
  }

  start(): void {
    this.#stopObserving ??= this.#pool.observe(this);
    this.#schedule();
  }

  /** Gives every upstream its own weight back. */
  stop(): void {
    this.#stopObserving?.();
    this.#stopObserving = undefined;
    this.#runtime.clock.clearTimeout(this.#timer);
    this.#tallies.clear();
    for (const upstream of this.#pool.upstreams) this.#pool.weighting.setFeedback(upstream, 1, "feedback is off");
  }

  onAnswered(): void {}

  onSettled({ upstream, headersMs }: Attempt, outcome: Outcome, failed: boolean): void {
    if (!failed && outcome !== "success") return;
    const tally = this.#tallies.get(upstream) ?? { requests: 0, failures: 0, answers: 0, headersMs: 0 };
    this.#tallies.set(upstream, tally);
    tally.requests++;
    if (failed) tally.failures++;
    if (headersMs === undefined || failed) return;
    tally.answers++;
    tally.headersMs += headersMs;
  }

  #schedule(): void {
    const { clock } = this.#runtime;
    this.#timer = clock.setTimeout(() => {
      this.#rate();
      this.#schedule();
    }, this.#options.intervalMs);
  }

  #rate(): void {
    const tallies = this.#tallies;
    const now = this.#runtime.clock.now();
    if (now < this.#frozenUntil) return;
    this.#tallies = new Map();
    const ratings = [...tallies].filter(([, { requests }]) => requests >= limits.feedbackMinimumRequests).map(toRating);
    const faults = new Map<Upstream, string>();
    for (const { upstream, fault } of outliersOf(ratings)) faults.set(upstream, fault);
    // Nobody is to be preferred when all are bad.
    if (faults.size === this.#pool.upstreams.length) return;
    let changed = false;
    for (const upstream of this.#pool.upstreams) {
      const before = upstream.feedback;
      const fault = faults.get(upstream);
      const after =
        fault === undefined ? Math.min(1, before * 2) : Math.max(limits.feedbackFloor, before * limits.feedbackStep);
      if (after === before) continue;
      changed = true;
      this.#pool.weighting.setFeedback(upstream, after, fault ?? "it fares like its fellows");
    }
    if (changed) this.#frozenUntil = now + limits.feedbackFreezeMs;
  }
}

function toRating([upstream, { requests, failures, answers, headersMs }]: readonly [Upstream, Tally]): Rating {
  return { upstream, failureRatio: failures / requests, latencyMs: answers === 0 ? 0 : headersMs / answers };
}

/** Those that stand out for the worse, with what for, in words. */
function outliersOf(ratings: readonly Rating[]): { upstream: Upstream; fault: string }[] {
  const failing = bound(
    ratings.map(({ failureRatio }) => failureRatio),
    noise.failureRatio,
  );
  const slow = bound(
    ratings.map(({ latencyMs }) => latencyMs),
    noise.latencyMs,
  );
  return ratings.flatMap(({ upstream, failureRatio, latencyMs }) => {
    if (failureRatio > failing.bound) {
      const median = percent(failing.median);
      return [{ upstream, fault: `it fails ${percent(failureRatio)} of its requests, the pool's median is ${median}` }];
    }
    if (latencyMs <= slow.bound) return [];
    const median = Math.round(slow.median);
    return [{ upstream, fault: `it answers in ${Math.round(latencyMs)} ms, the pool's median is ${median} ms` }];
  });
}

/** What values stand out above: half as much again as the median and the median deviation from it, or the noise. */
function bound(values: readonly number[], noiseOf: number): { median: number; bound: number } {
  const median = lowerMedian(values);
  const deviation = lowerMedian(values.map((value) => Math.abs(value - median)));
  return { median, bound: Math.max((median + deviation) * 1.5, median + noiseOf) };
}

/** The lower of the two in the middle: of two upstreams, the better one is the measure of the other. */
function lowerMedian(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.ceil(values.length / 2) - 1] ?? 0;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
