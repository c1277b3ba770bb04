/**
 * Dynamic weights: upstreams that perform worse than the rest of their pool get a smaller share for a while.
 *
 * In each interval every upstream is rated by its failure ratio and by its mean time to response headers. An upstream is an
 * outlier if it exceeds 1.5 times the sum of the pool's median and the median absolute deviation (the rule of the rebalancer
 * of vulcand/oxy). The factor of an outlier is quartered, down to 1/16. The factors of the others double, up to 1. After a
 * change there is none for a while, so that the next rating measures its effect. Oxy raises the weights of good upstreams;
 * lowering those of outliers keeps the weights within their range and the other weights as configured.
 *
 * An upstream with too few requests for a rating is no outlier, so that one at the lowest factor recovers. The factor of an
 * upstream that gets no requests, such as an ejected or a draining one, does not change.
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
  /** The sum of the times to response headers, of requests that have not failed. */
  headersMs: number;
}

interface Rating {
  readonly upstream: Upstream;
  readonly failureRatio: number;
  /** Undefined if too few requests have succeeded. */
  readonly latencyMs: number | undefined;
}

/** The least difference of an outlier from the median: smaller differences are noise. */
const minDifference = { failureRatio: 0.05, latencyMs: 10 };

export class WeightFeedback implements AttemptObserver, PoolWatcher {
  readonly #pool: Pool;
  readonly #runtime: Runtime;
  #intervalMs: number;
  #tallies = new Map<Upstream, Tally>();
  /** The number of ratings to skip after a change. Not a time, because timers are not exact. */
  #frozenFor = 0;
  #timer: Timer;
  #stopObserving: (() => void) | undefined;

  constructor(pool: Pool, { intervalMs }: ResolvedWeights, runtime: Runtime) {
    this.#pool = pool;
    this.#intervalMs = intervalMs;
    this.#runtime = runtime;
  }

  /** Does nothing while it runs. */
  start(): void {
    if (this.#stopObserving !== undefined) return;
    this.#stopObserving = this.#pool.observe(this);
    this.#schedule();
  }

  /** Restarts if the interval differs. Factors stay. */
  reconfigure({ weights }: ResolvedPool): void {
    if (weights === undefined || weights.intervalMs === this.#intervalMs || this.#stopObserving === undefined) return;
    this.stop("keep");
    this.#intervalMs = weights.intervalMs;
    this.#frozenFor = 0;
    this.start();
  }

  /** Sets every factor to 1, unless the verdicts are to be kept. */
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
    const rated = this.#pool.upstreams.filter(getsRequests);
    const outliers = findOutliers(rated.map((upstream) => toRating(upstream, tallies.get(upstream))));
    let changed = false;
    for (const upstream of rated) {
      const before = upstream.feedback;
      const reason = outliers.get(upstream);
      const after =
        reason === undefined ? Math.min(1, before * 2) : Math.max(limits.feedbackFloor, before * limits.feedbackStep);
      if (after === before) continue;
      changed = true;
      this.#pool.effectiveWeights.setFeedback(upstream, after, reason ?? "no longer an outlier");
    }
    if (changed) this.#frozenFor = Math.ceil(limits.feedbackFreezeMs / this.#intervalMs) - 1;
  }
}

/** Whether an upstream gets requests, so that it can be rated. */
function getsRequests({ state, health, ejectedUntil, weight }: Upstream): boolean {
  return state === "active" && health !== "unhealthy" && ejectedUntil === undefined && weight > 0;
}

/** Returns undefined if there were too few requests. */
function toRating(upstream: Upstream, tally: Tally | undefined): Rating | undefined {
  if (tally === undefined || tally.requests < limits.feedbackMinimumRequests) return undefined;
  const { requests, failures, headersMs } = tally;
  const successes = requests - failures;
  const latencyMs = successes < limits.feedbackMinimumRequests ? undefined : headersMs / successes;
  return { upstream, failureRatio: failures / requests, latencyMs };
}

/** Returns the outliers, each with the figures that make it one, in words. */
function findOutliers(maybe: readonly (Rating | undefined)[]): ReadonlyMap<Upstream, string> {
  const outliers = new Map<Upstream, string>();
  const ratings = maybe.filter((rating) => rating !== undefined);
  const latencies = ratings.map(({ latencyMs }) => latencyMs).filter((ms) => ms !== undefined);
  const failing = outlierBound(
    ratings.map(({ failureRatio }) => failureRatio),
    minDifference.failureRatio,
  );
  const slow = outlierBound(latencies, minDifference.latencyMs);
  for (const { upstream, failureRatio, latencyMs = 0 } of ratings) {
    if (failureRatio > failing.bound) {
      const figures = `${percent(failureRatio)}, the pool's median is ${percent(failing.median)}`;
      outliers.set(upstream, `failure ratio ${figures}`);
    } else if (latencyMs > slow.bound) {
      const figures = `${Math.round(latencyMs)} ms, the pool's median is ${Math.round(slow.median)} ms`;
      outliers.set(upstream, `mean time to response headers ${figures}`);
    }
  }
  return outliers;
}

/** Values above the bound are outliers. */
function outlierBound(values: readonly number[], difference: number): { median: number; bound: number } {
  const median = lowerMedian(values);
  const deviation = lowerMedian(values.map((value) => Math.abs(value - median)));
  return { median, bound: Math.max((median + deviation) * 1.5, median + difference) };
}

/** Of an even number of values, the lower one in the middle: of two upstreams, the better one is the median. */
function lowerMedian(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.ceil(values.length / 2) - 1] ?? 0;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
