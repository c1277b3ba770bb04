import type { WorkerSnapshot } from "@evenkeel/admin";
import { formatTable } from "../table.ts";
import { formatAge } from "./format-values.ts";

/** Formats the workers of a group as a table. `now` is in milliseconds since 1970. */
export function formatWorkers(workers: readonly WorkerSnapshot[], now: number): string[] {
  const header = ["WORKER", "PID", "UP", "CONNECTIONS", "LOOP DELAY P99", "HEAP", "MEMORY", "RESTARTS"];
  return formatTable([header, ...workers.map((worker) => toRow(worker, now))]);
}

/** A worker that is starting has measured nothing yet. */
function toRow(worker: WorkerSnapshot, now: number): string[] {
  const { since, eventLoopDelayMs, heapUsedBytes, rssBytes } = worker;
  const measured =
    since === 0
      ? ["starting", String(worker.connections), "-", "-", "-"]
      : [
          formatAge(now - since),
          String(worker.connections),
          `${eventLoopDelayMs.p99.toFixed(1)} ms`,
          toMegabytes(heapUsedBytes),
          toMegabytes(rssBytes),
        ];
  return [String(worker.worker), String(worker.pid ?? "-"), ...measured, toRestarts(worker.restarts)];
}

function toMegabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}

/** As in `3 (2 killed, 1 stalled)`. */
function toRestarts(restarts: WorkerSnapshot["restarts"]): string {
  const reasons = Object.entries(restarts).filter(([, count]) => count > 0);
  if (reasons.length === 0) return "0";
  const total = reasons.reduce((sum, [, count]) => sum + count, 0);
  return `${total} (${reasons.map(([reason, count]) => `${count} ${reason}`).join(", ")})`;
}
