/**
 * Prometheus metrics, rendered from a snapshot of the target at each scrape.
 *
 * The proxy counts, and nothing is counted here again: metrics cost nothing between two scrapes. The value of every label
 * comes from the configuration or from a fixed list.
 */

import type { EjectionReason, PoolSnapshot, ProxySnapshot, UpstreamSnapshot } from "evenkeel";
import { collectDefaultMetrics, Registry } from "prom-client";
import type { AdminResponse } from "../http/response.ts";
import type { AdminOptions } from "../options.ts";
import type { AdminTarget } from "../target/admin-target.ts";
import { renderFamilies } from "./exposition.ts";
import { listenerFamilies } from "./listener-metrics.ts";
import { counter, type Family, gauge, histogram, type Labels, sample } from "./metric-family.ts";
import { workerFamilies } from "./worker-metrics.ts";

/** Each reason has a sample from the start, so that the first ejection is an increase and not a new series. */
const ejectionReasons = ["consecutive-failures", "failure-ratio", "trial-failed"] as const satisfies EjectionReason[];

let processRegistry: Registry | undefined;

/**
 * Returns the function that renders the target's metrics, and starts the collection of process metrics. Scrapes at the same time
 * share one text, so that many of them take no more of a turn than one.
 */
export function createMetrics(target: AdminTarget, listener: AdminOptions["listener"]): () => Promise<AdminResponse> {
  const ofProcess = processMetrics();
  const render = async (): Promise<AdminResponse> => {
    const [snapshot, connections, workers] = await Promise.all([target.snapshot(), listener?.(), target.workers?.()]);
    const families = [...toFamilies(snapshot), ...listenerFamilies(connections), ...workerFamilies(workers)];
    const own = await renderFamilies(families);
    const body = Buffer.concat([Buffer.from(await ofProcess.metrics()), own]);
    return { status: 200, type: ofProcess.contentType, body };
  };
  let pending: Promise<AdminResponse> | undefined;
  return () => {
    pending ??= render().finally(() => {
      pending = undefined;
    });
    return pending;
  };
}

/** Gauges with a suffix that only counters may have. Each is the sum of the gauge without the suffix. */
const misnamedGauges = ["nodejs_active_resources_total", "nodejs_active_handles_total", "nodejs_active_requests_total"];

/** All admin APIs of a process share one registry: its observers cannot be stopped. */
function processMetrics(): Registry {
  if (processRegistry === undefined) {
    processRegistry = new Registry();
    collectDefaultMetrics({ register: processRegistry });
    for (const name of misnamedGauges) processRegistry.removeSingleMetric(name);
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

function requestFamilies({ requests, grpcCalls, errors, durations }: ProxySnapshot): readonly Family[] {
  return [
    counter(
      "evenkeel_requests_total",
      "Finished requests.",
      requests.map(({ count, route, pool, method, code }) => sample({ route, pool, method, code }, count)),
    ),
    counter(
      "evenkeel_request_errors_total",
      "Finished requests with an error code. A response of an upstream is no error, whatever its status.",
      errors.map(({ count, route, pool, code, error, source }) => sample({ route, pool, code, error, source }, count)),
    ),
    counter(
      "evenkeel_grpc_calls_total",
      "Finished gRPC calls by status.",
      grpcCalls.map(({ count, route, pool, status }) => sample({ route, pool, status }, count)),
    ),
    histogram(
      "evenkeel_request_duration_seconds",
      "Time from a request's arrival to the end of its response, without WebSockets.",
      durations.map(({ route, pool, histogram }) => [{ route, pool }, histogram]),
    ),
  ];
}

function poolFamilies({ pools }: ProxySnapshot): readonly Family[] {
  const each = (value: (pool: PoolSnapshot) => number) => pools.map((pool) => sample({ pool: pool.name }, value(pool)));
  return [
    gauge(
      "evenkeel_pool_serving",
      "1 if a new request can get a response from an upstream, else 0.",
      each((pool) => Number(pool.serving)),
    ),
    gauge(
      "evenkeel_pool_panic",
      "1 while no upstream is available and requests go to unavailable ones, else 0.",
      each((pool) => Number(pool.panic)),
    ),
    gauge(
      "evenkeel_pool_outage",
      "1 from a failed attempt to connect until the next successful one, else 0.",
      each((pool) => Number(pool.outage !== null)),
    ),
    gauge(
      "evenkeel_requests_in_flight",
      "Requests in flight.",
      each((pool) => pool.inFlight),
    ),
    counter(
      "evenkeel_retries_total",
      "Retries by the failure that caused them.",
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
      "Requests that wait in the queue for an upstream below its limit.",
      each((pool) => pool.queueDepth),
    ),
    gauge(
      "evenkeel_queue_limit",
      "Requests that may wait in the queue, in all workers together.",
      each((pool) => pool.queueMax),
    ),
    gauge(
      "evenkeel_outage_waiting",
      "Requests that wait for the end of an outage: no upstream can be connected.",
      each((pool) => pool.outage?.waiting ?? 0),
    ),
    gauge(
      "evenkeel_tunnels",
      "Open tunnels.",
      each((pool) => pool.tunnels),
    ),
    counter(
      "evenkeel_discovery_lookups_total",
      "DNS lookups of the pool's members by result.",
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
  const each = <T>(of: (labels: Labels, upstream: UpstreamSnapshot) => readonly T[]): Iterable<T> => ofEach(pools, of);
  return [
    counter(
      "evenkeel_upstream_requests_total",
      "Attempts by outcome.",
      each((labels, { outcomes }) =>
        Object.entries(outcomes).map(([outcome, count]) => sample({ ...labels, outcome }, count)),
      ),
    ),
    counter(
      "evenkeel_upstream_server_errors_total",
      "Responses of the upstream with a 5xx status.",
      each((labels, { serverErrors }) => [sample(labels, serverErrors)]),
    ),
    histogram(
      "evenkeel_upstream_duration_seconds",
      "Time from the start of an attempt to the response's headers.",
      each((labels, { latency }) => [[labels, latency] as const]),
    ),
    gauge(
      "evenkeel_upstream_in_flight",
      "Attempts in flight.",
      each((labels, { inFlight }) => [sample(labels, inFlight)]),
    ),
    gauge(
      "evenkeel_upstream_in_flight_limit",
      "The limit of attempts and tunnels together, in all workers, where there is one.",
      each((labels, { maxInFlight }) => (maxInFlight === null ? [] : [sample(labels, maxInFlight)])),
    ),
    gauge(
      "evenkeel_upstream_available",
      "1 if the upstream may be picked, else 0.",
      each((labels, { available }) => [sample(labels, Number(available))]),
    ),
    gauge(
      "evenkeel_upstream_status",
      "Always 1; what the upstream is now is in the label.",
      each((labels, { condition: { status } }) => [sample({ ...labels, status }, 1)]),
    ),
    gauge(
      "evenkeel_upstream_weight",
      "The configured weight, the effective weight that balancing uses, and the factors between the two.",
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
      "Ejections by outlier detection, by reason.",
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

/** What `of` returns for each upstream, made when it is read. */
function* ofEach<T>(
  pools: readonly PoolSnapshot[],
  of: (labels: Labels, upstream: UpstreamSnapshot) => readonly T[],
): Iterable<T> {
  for (const { name: pool, upstreams } of pools) {
    for (const upstream of upstreams) yield* of({ pool, upstream: upstream.id }, upstream);
  }
}

function ownFamilies({ reloads, version }: ProxySnapshot): readonly Family[] {
  return [
    counter("evenkeel_config_reloads_total", "Reloads of the configuration by result.", [
      sample({ result: "success" }, reloads.succeeded),
      sample({ result: "failure" }, reloads.failed),
    ]),
    gauge("evenkeel_config_last_reload_successful", "1 unless the last reload failed.", [
      sample({}, Number(reloads.lastSuccessful)),
    ]),
    gauge("evenkeel_build_info", "Always 1; the version is in the label.", [sample({ version }, 1)]),
  ];
}
