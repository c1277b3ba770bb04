/**
 * Dynamic weighting: upstreams that fare worse than their fellows lose share, and win it back.
 *
 * Every interval each upstream is rated by its failure ratio and by its mean time to response headers. One that stands out
 * against the pool's median by more than the median absolute deviation explains, half as much again, is bad (the split
 * of vulcand/oxy's rebalancer): its factor is quartered, down to 1/16. The others' factors double back to 1. After a
 * change nothing moves for a while, so that the next rating sees its effect. Oxy raises the good ones instead; to
 * lower the bad ones keeps the weights in their range and the rest of the pool as it was configured.
 *
 * An upstream with too few requests to be rated counts as good: that is how one at the floor comes back. One that gets no
 * requests at all, being out or told to drain, is neither.
 */

import { limits } from "../config/defaults.ts";
import type { ResolvedPool, ResolvedWeights } from "../config/resolved.ts";
import type { Attempt, AttemptObserver } from "../pool/attempt.ts";
import type { Pool } from "../pool/pool.ts";
import type { PoolWatcher, Verdicts } from "../pool/pool-watcher.ts";
import type { Outcome, Upstream } from "../pool/upstream.ts";
import type { Timer } from "../runtime/clock.ts";
import type { Runtime } from "../runtime/runtime.ts";

interface Tally {
  requests: number;
  failures: number;
  /** Over the requests that did not fail. */
  headersMs: number;
}

interface Rating {
  readonly upstream: Upstream;
  readonly failureRatio: number;
  /** Undefined when too few have gone well to tell. */
  readonly latencyMs: number | undefined;
}

/** What a rating has to exceed its measure by, however even the pool is: an odd failure and a few milliseconds are noise. */
const noise = { failureRatio: 0.05, latencyMs: 10 };

export class WeightFeedback implements AttemptObserver, PoolWatcher {
  readonly #pool: Pool;
  readonly #runtime: Runtime;
  #intervalMs: number;
  #tallies = new Map<Upstream, Tally>();
  /** Ratings still to be left out after a change. Counted, since a timer is never quite on time. */
  #frozenFor = 0;
  #timer: Timer;
  #stopObserving: (() => void) | undefined;

  constructor(pool: Pool, { intervalMs }: ResolvedWeights, runtime: Runtime) {
    this.#pool = pool;
    this.#intervalMs = intervalMs;
    this.#runtime = runtime;
  }

  /** Does nothing when it already runs. */
  start(): void {
    if (this.#stopObserving !== undefined) return;
    this.#stopObserving = this.#pool.observe(this);
    this.#schedule();
  }

  /** With another interval it begins to rate anew. Factors stay. */
  reconfigure({ weights }: ResolvedPool): void {
    if (weights === undefined || weights.intervalMs === this.#intervalMs || this.#stopObserving === undefined) return;
    this.stop("keep");
    this.#intervalMs = weights.intervalMs;
    this.#frozenFor = 0;
    this.start();
  }

  /** Factors that are not kept become 1. */
  stop(verdicts: Verdicts): void {
    this.#stopObserving?.();
    this.#stopObserving = undefined;
    this.#runtime.clock.clearTimeout(this.#timer);
    this.#tallies.clear();
    if (verdicts === "keep") return;
    for (const upstream of this.#pool.upstreams)
      this.#pool.effectiveWeights.setFeedback(upstream, 1, "feedback is off");
  }

  onResponded(): void {}

  onSettled({ upstream, headersMs = 0 }: Attempt, outcome: Outcome, failed: boolean): void {
    if (!failed && outcome !== "success") return;
    let tally = this.#tallies.get(upstream);
    if (tally === undefined) {
      tally = { requests: 0, failures: 0, headersMs: 0 };
      this.#tallies.set(upstream, tally);
    }
    tally.requests++;
    if (failed) tally.failures++;
    else tally.headersMs += headersMs;
  }

  #schedule(): void {
    this.#timer = this.#runtime.clock.setTimeout(() => {
      this.#schedule();
      this.#rate();
    }, this.#intervalMs);
  }

  #rate(): void {
    if (this.#frozenFor > 0) {
      this.#frozenFor--;
      return;
    }
    const tallies = this.#tallies;
    this.#tallies = new Map();
    const atWork = this.#pool.upstreams.filter(isAtWork);
    const faults = faultsAmong(atWork.map((upstream) => toRating(upstream, tallies.get(upstream))));
    let changed = false;
    for (const upstream of atWork) {
      const before = upstream.feedback;
      const fault = faults.get(upstream);
      const after =
        fault === undefined ? Math.min(1, before * 2) : Math.max(limits.feedbackFloor, before * limits.feedbackStep);
      if (after === before) continue;
      changed = true;
      this.#pool.effectiveWeights.setFeedback(upstream, after, fault ?? "nothing speaks against it any more");
    }
    if (changed) this.#frozenFor = Math.ceil(limits.feedbackFreezeMs / this.#intervalMs) - 1;
  }
}

/** Gets requests, so that it can show how it fares. */
function isAtWork({ state, health, ejectedUntil, weight }: Upstream): boolean {
  return state === "active" && health !== "unhealthy" && ejectedUntil === undefined && weight > 0;
}

/** Undefined when too few requests have been made to tell. */
function toRating(upstream: Upstream, tally: Tally | undefined): Rating | undefined {
  if (tally === undefined || tally.requests < limits.feedbackMinimumRequests) return undefined;
  const { requests, failures, headersMs } = tally;
  const answers = requests - failures;
  const latencyMs = answers < limits.feedbackMinimumRequests ? undefined : headersMs / answers;
  return { upstream, failureRatio: failures / requests, latencyMs };
}

/** Those that stand out for the worse, with what for, in words. */
function faultsAmong(maybe: readonly (Rating | undefined)[]): ReadonlyMap<Upstream, string> {
  const faults = new Map<Upstream, string>();
  const ratings = maybe.filter((rating) => rating !== undefined);
  const latencies = ratings.map(({ latencyMs }) => latencyMs).filter((ms) => ms !== undefined);
  const failing = boundOf(
    ratings.map(({ failureRatio }) => failureRatio),
    noise.failureRatio,
  );
  const slow = boundOf(latencies, noise.latencyMs);
  for (const { upstream, failureRatio, latencyMs = 0 } of ratings) {
    if (failureRatio > failing.bound) {
      const figures = `${percent(failureRatio)} of its requests, the pool's median is ${percent(failing.median)}`;
      faults.set(upstream, `it fails ${figures}`);
    } else if (latencyMs > slow.bound) {
      const figures = `${Math.round(latencyMs)} ms, the pool's median is ${Math.round(slow.median)} ms`;
      faults.set(upstream, `it answers in ${figures}`);
    }
  }
  return faults;
}

/** What values stand out above: half as much again as the median and the median deviation from it, or the noise. */
function boundOf(values: readonly number[], noiseOf: number): { median: number; bound: number } {
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
