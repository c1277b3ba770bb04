import type { FailedRequest } from "@evenkeel/admin";
import { formatTable } from "../table.ts";
import { formatDate, formatMs } from "./format-values.ts";

const columns = ["TIME", "STATUS", "ERROR", "TOOK", "ATTEMPTS", "REQUEST", "ID", "CAUSE"];

/** Describes failed requests as a table, in the order given. */
export function describeFailures(failures: readonly FailedRequest[]): string[] {
  if (failures.length === 0) return ["no request has failed recently"];
  return formatTable([columns, ...failures.map(toRow)], new Set([3]));
}

function toRow(failure: FailedRequest): string[] {
  const { time, status, error = "-", durationMs, method, host, path, requestId, worker, cause = "" } = failure;
  return [
    formatDate(time),
    String(status),
    error,
    formatMs(durationMs),
    describeAttempts(failure),
    `${method} ${host}${path}`,
    worker === undefined ? requestId : `${requestId} (worker ${worker})`,
    cause,
  ];
}

const shownAttempts = 3;

/** As in `api: a reset, b 503`, with the last attempts if there are many. */
function describeAttempts({ pool, attempts }: FailedRequest): string {
  const shown = attempts
    .slice(-shownAttempts)
    .map(({ upstream, error, status }) => `${upstream} ${error ?? status ?? "no response"}`);
  const more = attempts.length > shownAttempts ? [`${attempts.length - shownAttempts} more`] : [];
  const list = [...more, ...shown].join(", ") || "none";
  return pool === undefined ? list : `${pool}: ${list}`;
}
