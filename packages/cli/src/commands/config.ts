import { formatToml } from "@evenkeel/config";
import { callAdmin, notAdminApi } from "../admin-client.ts";
import { printJson, printText } from "../table.ts";
import type { AdminCommandOptions } from "./admin-commands.ts";

/** Prints the configuration in force, as TOML or as JSON. */
export async function config(options: AdminCommandOptions): Promise<void> {
  const found = await callAdmin<{ config?: unknown } | null>(options, "GET", "/api/config");
  const tables = found?.config;
  if (typeof tables !== "object" || tables === null) throw notAdminApi();
  if (options.json === true) printJson(found);
  else printText(formatToml(tables));
}
