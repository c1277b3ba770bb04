import { type WorkerSnapshot, workerEnds } from "../workers/worker-snapshot.ts";
import { counter, type Family, gauge, type Labels, quantiles, sample } from "./metric-family.ts";

/** The metrics of the workers of a group. The values of the label `worker` are 1 to N. One process has none of them. */
export function workerFamilies(workers: readonly WorkerSnapshot[] | undefined): readonly Family[] {
  if (workers === undefined) return [];
  const each = (value: (worker: WorkerSnapshot) => number) =>
    workers.map((worker) => sample(labelsOf(worker), value(worker)));
  return [
    gauge(
      "evenkeel_worker_connections",
      "Open client connections of a worker.",
      each(({ connections }) => connections),
    ),
    quantiles(
      "evenkeel_worker_event_loop_delay_seconds",
      "How late timers of a worker run: quantiles of the last 30 to 60 seconds, 1 is the maximum.",
      workers.flatMap((worker) => {
        const { p50, p90, p99, max } = worker.eventLoopDelayMs;
        const delays = { "0.5": p50, "0.9": p90, "0.99": p99, "1": max };
        return Object.entries(delays).map(([quantile, ms]) => sample({ ...labelsOf(worker), quantile }, ms / 1_000));
      }),
    ),
    gauge(
      "evenkeel_worker_heap_used_bytes",
      "Bytes in use in the JavaScript heap of a worker.",
      each(({ heapUsedBytes }) => heapUsedBytes),
    ),
    gauge(
      "evenkeel_worker_resident_memory_bytes",
      "Resident memory of a worker.",
      each(({ rssBytes }) => rssBytes),
    ),
    gauge(
      "evenkeel_worker_start_time_seconds",
      "Start of a worker in seconds since 1970.",
      each(({ since }) => since / 1_000),
    ),
    counter(
      "evenkeel_worker_restarts_total",
      "Replaced workers by reason.",
      workers.flatMap((worker) =>
        workerEnds.map((reason) => sample({ ...labelsOf(worker), reason }, worker.restarts[reason] ?? 0)),
      ),
    ),
  ];
}

function labelsOf({ worker }: WorkerSnapshot): Labels {
  return { worker };
}
