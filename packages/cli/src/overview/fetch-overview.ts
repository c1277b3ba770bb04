import type { Overview } from "@evenkeel/admin";
import { type AdminClientOptions, type CallOptions, callAdmin, notAdminApi } from "../admin-client.ts";
import { Failure } from "../failure.ts";

/** Fetches the state of a running proxy. Throws a `Failure`, also if the proxy is too old to report it. */
export async function fetchOverview(options: AdminClientOptions, call: CallOptions = {}): Promise<Overview> {
  try {
    const overview = await callAdmin<Partial<Overview> | null>(options, "GET", "/api/overview", call);
    if (!isOverview(overview)) throw notAdminApi();
    return overview;
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "not_found") throw error;
    const message = `the proxy at ${options.admin} is older than this command and has no /api/overview: restart it`;
    throw new Failure(message, error.code);
  }
}

/** Whether a response has the parts that are always read. It may come from another server. */
function isOverview(value: Partial<Overview> | null): value is Overview {
  if (typeof value !== "object" || value === null) return false;
  const { pools, problems, traffic, time } = value;
  const isComplete = typeof time === "number" && isObject(traffic) && isArrayOf(problems, isObject);
  return isComplete && isArrayOf(pools, (pool) => isMeasured(pool) && isArrayOf(pool.upstreams, isMeasured));
}

function isMeasured(value: unknown): value is { readonly traffic: object; readonly upstreams?: unknown } {
  return isObject(value) && isObject((value as { traffic?: unknown }).traffic);
}

function isArrayOf(value: unknown, test: (element: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(test);
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}
