import { type AdminResponse, json } from "../http/response.ts";
import type { Failures } from "../overview/overview.ts";
import type { AdminTarget } from "../target/admin-target.ts";

export async function showFailures(target: AdminTarget): Promise<AdminResponse> {
  const body: Failures = { failures: await target.failures() };
  return json(200, body);
}
