import { readFileSync } from "node:fs";
import { limits } from "./limits.ts";

/** The limits for client connections. */
export interface ConnectionBudget {
  /** Connections that are served at the same time. */
  readonly served: number;
  /** Connections beyond these that get a 503 response. */
  readonly refused: number;
}

/**
 * Shares the file descriptors of the process between clients and upstreams.
 *
 * Each client connection may need a connection to an upstream at the same time, as in HAProxy's `ulimit-n`. Without a reserve
 * for those, idle clients would make the requests of others fail. Logs, lookups, probes and the admin API have a fixed number
 * of descriptors, or a quarter of them if there are few.
 */
export function connectionBudget(maxConnections: number, descriptors: number): ConnectionBudget {
  const own = Math.min(limits.ownDescriptors, Math.floor(descriptors / 4));
  const shared = descriptors - own;
  // Two descriptors for each served connection. The refused ones are at most a quarter as many.
  const affordable = Math.max(1, Math.floor((shared * 4) / 9), Math.floor((shared - limits.refusedConnections) / 2));
  const served = Math.min(maxConnections, affordable);
  return { served, refused: Math.min(limits.refusedConnections, Math.max(1, Math.floor(affordable / 4))) };
}

/** Returns the limit of open files of the process (RLIMIT_NOFILE), or Infinity if the system has none or does not report it. */
export function descriptorLimit(): number {
  return fromProc() ?? fromReport() ?? Infinity;
}

/** For Linux. Node raises its soft limit to the hard limit when it starts. */
function fromProc(): number | undefined {
  try {
    return toLimit(/^Max open files +(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]);
  } catch {
    return undefined;
  }
}

/** For other systems. A report is expensive, and is made only once. */
function fromReport(): number | undefined {
  const report = process.report?.getReport() as
    | { userLimits?: { open_files?: { soft?: string | number } } }
    | undefined;
  return toLimit(report?.userLimits?.open_files?.soft);
}

function toLimit(value: string | number | undefined): number | undefined {
  if (value === "unlimited") return Infinity;
  const limit = Number(value);
  return Number.isInteger(limit) && limit > 0 ? limit : undefined;
}
