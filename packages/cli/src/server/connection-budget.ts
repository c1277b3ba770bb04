import { readFileSync } from "node:fs";
import { limits } from "../limits.ts";

/** How many connections of clients there may be. */
export interface ConnectionBudget {
  /** That are served at a time. */
  readonly served: number;
  /** Beyond those, that are told that there are too many. */
  readonly turnedAway: number;
}

/**
 * Shares the file descriptors of the process between clients and upstreams.
 *
 * Each connection of a client may need one to an upstream at the same time, as in HAProxy's `ulimit-n`: without a reserve for
 * those, clients that do nothing would make the requests of others fail. What is left for logs, lookups, probes and the
 * admin API is a fixed number, or a quarter of few.
 */
export function connectionBudget(maxConnections: number, descriptors: number): ConnectionBudget {
  const own = Math.min(limits.ownDescriptors, Math.floor(descriptors / 4));
  const shared = descriptors - own;
  // Two descriptors for each that is served; those that are turned away are at most a quarter as many.
  const affordable = Math.max(1, Math.floor((shared * 4) / 9), Math.floor((shared - limits.turnedAwayConnections) / 2));
  const served = Math.min(maxConnections, affordable);
  return { served, turnedAway: Math.min(limits.turnedAwayConnections, Math.max(1, Math.floor(affordable / 4))) };
}

/** How many files the process may open (RLIMIT_NOFILE). Infinity where the system has no such limit, or does not say. */
export function descriptorLimit(): number {
  return fromProc() ?? fromReport() ?? Infinity;
}

/** Linux. Node raises the limit as far as it may when it starts. */
function fromProc(): number | undefined {
  try {
    return toLimit(/^Max open files +(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]);
  } catch {
    return undefined;
  }
}

/** Other systems with such limits. A report is costly, and is made once. */
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
