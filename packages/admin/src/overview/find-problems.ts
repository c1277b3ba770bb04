import type { PoolSnapshot, UpstreamSnapshot } from "evenkeel";
import type { RecentTraffic } from "../history/history.ts";
import { limits } from "../limits.ts";
import type { Overview, PoolOverview, Problem, ProblemStatus, Traffic, UpstreamOverview } from "./overview.ts";
import type { ProblemTimes } from "./problem-times.ts";

/** A ratio of errors that is a problem, and how many errors there have to be for it. */
const errorRatio = 0.05;
const errorsAtLeast = 5;
/** The part of its share that is left to an upstream whose weight is lowered by feedback. */
const degradedFeedback = 0.5;
/** Milliseconds before its expiry at which a certificate is a warning, and at which it is critical. */
const certificateWarningMs = 14 * 86_400_000;
const certificateCriticalMs = 3 * 86_400_000;

/** An upstream with one of these gets no requests, or only some, though no operator has asked for it. */
const statusTexts: Readonly<Partial<Record<ProblemStatus, string>>> = {
  unhealthy: "is unhealthy",
  ejected: "is ejected",
  trial: "is half-open after an ejection",
  failing: "cannot be connected",
};

/** Finds what is not as it should be, the worst first. What an operator has set, such as a draining upstream, is no problem. */
export function findProblems(
  overview: Omit<Overview, "problems">,
  pools: readonly PoolSnapshot[],
  recent: Pick<RecentTraffic, "errors">,
  times: Pick<ProblemTimes, "sinceOf">,
): readonly Problem[] {
  const found = [
    ...findOwnProblems(overview),
    ...overview.pools.flatMap((pool, index) => findPoolProblems(pool, pools[index], recent)),
  ].map((problem) => ({ ...problem, since: problem.since ?? times.sinceOf(problem) }));
  const order = (one: Problem) => (one.severity === "critical" ? 0 : 2) + (one.upstream === null ? 0 : 1);
  return (
    found
      // The difference of two unknown times is NaN.
      .sort((a, b) => order(a) - order(b) || (a.since ?? Infinity) - (b.since ?? Infinity) || 0)
      .slice(0, limits.problems)
  );
}

function findOwnProblems(overview: Omit<Overview, "problems">): Problem[] {
  const { time, draining, reloads, workers, certificateExpiry } = overview;
  const found: Problem[] = [];
  if (draining) found.push(problem("warning", "draining", "the proxy drains: it stops when its requests have ended"));
  if (!reloads.lastSuccessful) {
    found.push(problem("warning", "reload_failed", "the last reload failed: the configuration before it is in force"));
  }
  if (workers !== null && workers.running < workers.total) {
    const missing = workers.total - workers.running;
    found.push(
      problem("warning", "worker_missing", `${missing} of ${workers.total} workers ${isOrAre(missing)} not running`),
    );
  }
  if (certificateExpiry !== null && certificateExpiry - time < certificateWarningMs) {
    const left = certificateExpiry - time;
    const text = left <= 0 ? "the TLS certificate has expired" : `the TLS certificate expires in ${daysOf(left)}`;
    const severity = left < certificateCriticalMs ? "critical" : "warning";
    found.push({ ...problem(severity, "certificate_expiring", text), until: certificateExpiry });
  }
  return found;
}

function findPoolProblems(
  pool: PoolOverview,
  snapshot: PoolSnapshot | undefined,
  recent: Pick<RecentTraffic, "errors">,
): Problem[] {
  const { name, traffic, queueDepth, queueMax, budgetExhaustedPerSecond } = pool;
  const found: Problem[] = [];
  const add = (severity: Problem["severity"], status: ProblemStatus, text: string, since: number | null = null) => {
    found.push({ ...problem(severity, status, `${name} ${text}`), pool: name, since });
  };
  if (!pool.serving) add("critical", "not_serving", "serves no requests: no upstream is available", pool.since);
  else if (pool.panic) add("critical", "panic", "has no available upstream and uses unhealthy and ejected ones");
  if (pool.outage !== null && pool.serving) {
    add("critical", "outage", "cannot connect to any upstream", pool.outage.since);
  }
  if (hasErrors(traffic, recent.errors(name)))
    add("critical", "errors", `fails ${percent(traffic.errorRatio)} of its requests`);
  if (queueMax !== null && queueMax > 0 && queueDepth >= queueMax) {
    add("critical", "queue_full", `rejects requests: ${queueDepth} wait, which is the limit`);
  } else if (queueMax !== null && queueMax > 0 && queueDepth >= queueMax / 2) {
    add("warning", "queue_filling", `has ${queueDepth} waiting requests; the limit is ${queueMax}`);
  }
  if ((budgetExhaustedPerSecond ?? 0) > 0) {
    add("warning", "retry_budget_exhausted", "does not retry all failures: its retry budget is exhausted");
  }
  const { discovery } = snapshot ?? {};
  if (discovery?.status === "failing") {
    const { name, lastError, since } = discovery;
    add("warning", "discovery_failing", `cannot look up ${name}: ${lastError?.reason}`, since);
  }
  return [
    ...found,
    ...pool.upstreams.flatMap(
      (upstream, index) => findUpstreamProblem(upstream, name, snapshot?.upstreams[index], recent) ?? [],
    ),
  ];
}

/** One problem for an upstream: its status says more than its errors. */
function findUpstreamProblem(
  upstream: UpstreamOverview,
  pool: string,
  snapshot: UpstreamSnapshot | undefined,
  recent: Pick<RecentTraffic, "errors">,
): Problem | undefined {
  const { id, status, since, until, reason, cause, traffic } = upstream;
  const name = `${pool}/${id}`;
  const of = (status: ProblemStatus, text: string): Problem => ({
    ...problem("warning", status, `${name} ${text}`),
    pool,
    upstream: id,
  });
  const text = statusTexts[status];
  if (text !== undefined) {
    const why = reason === null ? "" : `: ${reason}${cause === undefined ? "" : ` (${cause})`}`;
    return { ...of(status, `${text}${why}`), since, until };
  }
  if (status === "draining" || status === "disabled") return undefined;
  if (hasErrors(traffic, recent.errors(pool, id)))
    return of("errors", `fails ${percent(traffic.errorRatio)} of its requests`);
  if (snapshot !== undefined && snapshot.feedback <= degradedFeedback) {
    const share = percent(snapshot.feedback);
    return of("degraded", `gets ${share} of its share: it is slower or fails more than the others`);
  }
  return undefined;
}

function problem(severity: Problem["severity"], status: ProblemStatus, text: string): Problem {
  return { severity, pool: null, upstream: null, status, since: null, until: null, text };
}

function hasErrors({ errorRatio: ratio }: Traffic, errors: number): boolean {
  return ratio !== null && ratio >= errorRatio && errors >= errorsAtLeast;
}

/** At least 1 %. */
function percent(ratio: number | null): string {
  return `${Math.max(1, Math.round((ratio ?? 0) * 100))} %`;
}

function daysOf(ms: number): string {
  const days = Math.floor(ms / 86_400_000);
  if (days === 0) return "less than a day";
  return days === 1 ? "1 day" : `${days} days`;
}

function isOrAre(count: number): string {
  return count === 1 ? "is" : "are";
}
