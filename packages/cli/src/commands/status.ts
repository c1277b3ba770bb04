import type { WorkerSnapshot } from "@evenkeel/admin";
import { type AdminClientOptions, callAdmin } from "../admin-client.ts";
import { fetchOverview } from "../overview/fetch-overview.ts";
import { describeStatus } from "../overview/status-report.ts";
import { formatWorkers } from "../overview/worker-table.ts";
import { printJson, printLines } from "../table.ts";
import type { AdminCommandOptions } from "./admin-commands.ts";

/** Prints the problems, the pools and the upstreams of a running proxy, and its workers if there are any. */
export async function status(options: AdminCommandOptions): Promise<void> {
  const overview = await fetchOverview(options);
  if (options.json === true) return printJson(overview);
  const lines = describeStatus(overview);
  if (overview.workers === null) return printLines(lines);
  printLines([...lines, "", ...formatWorkers(await workersOf(options), overview.time)]);
}

async function workersOf(options: AdminClientOptions): Promise<readonly WorkerSnapshot[]> {
  const { workers } = await callAdmin<{ workers: readonly WorkerSnapshot[] }>(options, "GET", "/api/workers");
  return workers;
}
