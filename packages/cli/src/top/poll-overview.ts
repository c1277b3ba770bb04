import { setTimeout as wait } from "node:timers/promises";
import type { Overview } from "@evenkeel/admin";
import type { AdminClientOptions } from "../admin-client.ts";
import { Failure } from "../failure.ts";
import { limits } from "../limits.ts";
import { fetchOverview } from "../overview/fetch-overview.ts";

/** Codes of failures that another attempt cannot end. */
const lasting = new Set(["unauthorized", "invalid_token", "not_found", "not_admin_api", "bad_argument"]);

/**
 * Fetches the state of a proxy every second until the signal is aborted. Throws the first failure; after a success it yields
 * failures that may pass, such as those while the proxy restarts, and connects again with growing pauses.
 */
export async function* pollOverview(
  options: AdminClientOptions,
  signal: AbortSignal,
): AsyncGenerator<Overview | Failure, void> {
  let succeeded = false;
  let pauseMs: number = limits.topIntervalMs;
  while (!signal.aborted) {
    const started = performance.now();
    try {
      yield await fetchOverview(options, { timeoutMs: limits.topCallMs, signal });
      succeeded = true;
      pauseMs = Math.max(0, limits.topIntervalMs - (performance.now() - started));
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Failure) || !succeeded || lasting.has(error.code)) throw error;
      yield error;
      pauseMs = Math.min(limits.topReconnectMs, Math.max(limits.topIntervalMs, pauseMs * 2));
    }
    await wait(pauseMs, undefined, { signal }).catch(() => {});
  }
}
