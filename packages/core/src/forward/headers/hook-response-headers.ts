import { headerRule } from "../../config/settable-header.ts";
import type { HookResponse } from "../hooks.ts";

/** The headers of a hook's response, names and values by turns, with the proxy's own unless the hook has set them. */
export function hookResponseHeaders({ headers = {} }: HookResponse, requestId: string): string[] {
  const result: string[] = [];
  const seen = new Set<string>();
  for (const [name, value] of Object.entries(headers)) {
    if (headerRule(name) === "refused") continue;
    seen.add(name.toLowerCase());
    for (const line of [value].flat()) result.push(name, line as string);
  }
  if (!seen.has("via")) result.push("Via", "1.1 evenkeel");
  if (!seen.has("x-request-id")) result.push("X-Request-Id", requestId);
  return result;
}
