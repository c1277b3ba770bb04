import { type AdminResponse, json } from "../http/response.ts";
import type { AdminOptions } from "../options.ts";
import type { AdminTarget } from "../target/admin-target.ts";

/** The configuration in force, in the words of the configuration file, with its defaults and without its secrets. */
export function showConfig(target: AdminTarget, { config }: Pick<AdminOptions, "config">): AdminResponse {
  return json(200, { config: { ...target.describe(), ...config?.() } });
}
