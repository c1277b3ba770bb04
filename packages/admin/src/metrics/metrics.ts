/**
 * Prometheus metrics, made from a snapshot at the moment they are asked for.
 *
 * The proxy counts; nothing is counted here a second time, so a scrape costs what it reads and the rest of the time
 * metrics cost nothing. Every label's value comes from the configuration or from a fixed list.
 */

import type { EjectionReason, PoolSnapshot, ProxySnapshot, UpstreamSnapshot } from "evenkeel";
import { collectDefaultMetrics, type Metric, Registry } from "prom-client";
import type { Answer } from "../http/response.ts";
import type { ListenerSnapshot } from "../options.ts";
import { listenerFamilies } from "./listener-metrics.ts";
import { counter, type Family, gauge, histogram, type Labels, sample } from "./metric-family.ts";

/** All of them are shown from the start, so that a first ejection is an increase and not a new series. */
const ejectionReasons = ["consecutive-failures", "failure-ratio", "trial-failed"] as const satisfies EjectionReason[];

let processRegistry: Registry | undefined;

/** Makes the function that renders a snapshot, and begins to watch the process. */
export function createMetrics(listener?: () => ListenerSnapshot): (snapshot: ProxySnapshot) => Promise<Answer> {
  const ofProcess = processMetrics();
  return async (snapshot) => {
    const registry = new Registry();
    for (const metric of ofProcess.getMetricsAsArray()) registry.registerMetric(metric as unknown as Metric);
    for (const family of [...toFamilies(snapshot), ...listenerFamilies(listener?.())]) {
      const metric = { ...family, get: async () => family };
      registry.registerMetric(metric as unknown as Metric);
    }
    return { status: 200, type: registry.contentType, body: await registry.metrics() };
  };
}

/** One for all admin APIs of a process: its observers cannot be stopped, so there must not be a set of them for each. */
function processMetrics(): Registry {
  if (processRegistry === undefined) {
    processRegistry = new Registry();
    collectDefaultMetrics({ register: processRegistry });
  }
  return processRegistry;
}

function toFamilies(snapshot: ProxySnapshot): readonly Family[] {
  return [
    ...requestFamilies(snapshot),
    ...poolFamilies(snapshot),
    ...upstreamFamilies(snapshot),
    ...ownFamilies(snapshot),
  ];
}

function requestFamilies({ requests, durations }: ProxySnapshot): readonly Family[] {
  return [
    counter(
      "evenkeel_requests_total",
      "Finished requests.",
      requests.map(({ count, route, pool, method, code }) => sample({ route, pool, method, code }, count)),
    ),
    histogram(
      "evenkeel_request_duration_seconds",
      "Time from a request's arrival to the end of its response.",
      durations.map(({ route, pool, histogram }) => [{ route, pool }, histogram]),
    ),
  ];
}

function poolFamilies({ pools }: ProxySnapshot): readonly Family[] {
  const each = (value: (pool: PoolSnapshot) => number) => pools.map((pool) => sample({ pool: pool.name }, value(pool)));
  return [
    gauge(
      "evenkeel_requests_in_flight",
      "Requests begun and not finished.",
      each((pool) => pool.inFlight),
    ),
    counter(
      "evenkeel_retries_total",
      "Further attempts after a failed one, by the failure.",
      pools.flatMap(({ name: pool, retries }) =>
        Object.entries(retries).map(([reason, count]) => sample({ pool, reason }, count)),
      ),
    ),
    counter(
      "evenkeel_retry_budget_exhausted_total",
      "Retries that the budget did not allow.",
      each((pool) => pool.retryBudgetExhausted),
    ),
    gauge(
      "evenkeel_queue_depth",
      "Requests that wait for an upstream with room.",
      each((pool) => pool.queueDepth),
    ),
    gauge(
      "evenkeel_outage_waiting",
      "Requests that wait for an upstream that can be connected.",
      each((pool) => pool.outage?.waiting ?? 0),
    ),
    gauge(
      "evenkeel_tunnels",
      "Open tunnels.",
      each((pool) => pool.tunnels),
    ),
    counter(
      "evenkeel_discovery_lookups_total",
      "Look-ups of members in DNS by result.",
      pools.flatMap(({ name: pool, discovery }) =>
        Object.entries(discovery?.lookups ?? {}).map(([result, count]) => sample({ pool, result }, count)),
      ),
    ),
    counter(
      "evenkeel_bytes_total",
      "Bytes of bodies: in from clients, out to clients.",
      pools.flatMap(({ name: pool, bytesIn, bytesOut }) => [
        sample({ pool, direction: "in" }, bytesIn),
        sample({ pool, direction: "out" }, bytesOut),
      ]),
    ),
  ];
}

function upstreamFamilies({ pools }: ProxySnapshot): readonly Family[] {
  const each = <T>(of: (labels: Labels, upstream: UpstreamSnapshot) => T | readonly T[]): T[] =>
    pools.flatMap(({ name: pool, upstreams }) =>
      upstreams.flatMap((upstream) => of({ pool, upstream: upstream.id }, upstream)),
    );
  return [
    counter(
      "evenkeel_upstream_requests_total",
      "Attempts by how they ended.",
      each((labels, { outcomes }) =>
        Object.entries(outcomes).map(([outcome, count]) => sample({ ...labels, outcome }, count)),
      ),
    ),
    histogram(
      "evenkeel_upstream_duration_seconds",
      "Time from the start of an attempt to the response's headers.",
      each((labels, { latency }) => [[labels, latency] as const]),
    ),
    gauge(
      "evenkeel_upstream_in_flight",
      "Attempts begun and not settled.",
      each((labels, { inFlight }) => sample(labels, inFlight)),
    ),
    gauge(
      "evenkeel_upstream_available",
      "1 when the upstream may be picked, else 0.",
      each((labels, { available }) => sample(labels, Number(available))),
    ),
    gauge(
      "evenkeel_upstream_weight",
      "Weight as configured or set by an operator, as balancing uses it, and the factors between the two.",
      each((labels, { weight, effectiveWeight, slowStart, feedback, announced }) => [
        sample({ ...labels, kind: "configured" }, weight),
        sample({ ...labels, kind: "effective" }, effectiveWeight),
        sample({ ...labels, kind: "slow_start" }, slowStart),
        sample({ ...labels, kind: "feedback" }, feedback),
        sample({ ...labels, kind: "announced" }, announced),
      ]),
    ),
    counter(
      "evenkeel_ejections_total",
      "Ejections on account of failing requests, by what was seen.",
      each((labels, { ejections }) =>
        ejectionReasons.map((reason) => sample({ ...labels, reason }, ejections[reason] ?? 0)),
      ),
    ),
    counter(
      "evenkeel_health_checks_total",
      "Active probes by result.",
      each((labels, { probes }) => [
        sample({ ...labels, result: "success" }, probes.success),
        sample({ ...labels, result: "failure" }, probes.failure),
      ]),
    ),
  ];
}

function ownFamilies({ reloads, version }: ProxySnapshot): readonly Family[] {
  return [
    counter("evenkeel_config_reloads_total", "Reloads of the configuration by result.", [
      sample({ result: "success" }, reloads.succeeded),
      sample({ result: "failure" }, reloads.failed),
    ]),
    gauge("evenkeel_config_last_reload_successful", "1 unless the last reload was refused.", [
      sample({}, Number(reloads.lastSuccessful)),
    ]),
    gauge("evenkeel_build_info", "Always 1; the version is in the label.", [sample({ version }, 1)]),
  ];
}
