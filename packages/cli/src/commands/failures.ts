import type { Failures } from "@evenkeel/admin";
import { callAdmin, notAdminApi } from "../admin-client.ts";
import { describeFailures } from "../overview/failure-report.ts";
import { printJson, printLines } from "../table.ts";
import type { AdminCommandOptions } from "./admin-commands.ts";

/** Prints the requests that have failed last, the newest first. */
export async function failures(options: AdminCommandOptions): Promise<void> {
  const found = await callAdmin<Partial<Failures> | null>(options, "GET", "/api/failures");
  if (!Array.isArray(found?.failures)) throw notAdminApi();
  if (options.json === true) printJson(found);
  else printLines(describeFailures(found.failures));
}
