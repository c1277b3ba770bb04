import { defaults } from "./defaults.ts";
import { parseDuration } from "./duration.ts";
import { mergeKeys } from "./merge.ts";
import type { HealthCheckOptions } from "./options.ts";
import { LinearPattern } from "./pattern/linear-pattern.ts";
import type { ResolvedHealthCheck, StatusRange } from "./resolved.ts";

/** Fills in the defaults of a valid health check. */
export function toResolvedHealthCheck(options: HealthCheckOptions): ResolvedHealthCheck {
  const check = mergeKeys(defaults.healthCheck, options);
  const intervalMs = milliseconds(check.interval);
  const pattern = /^\/(.*)\/$/s.exec(check.expectBody ?? "");
  return Object.freeze({
    type: check.type,
    service: check.service,
    path: check.path,
    method: check.method,
    headers: check.headers ?? {},
    scheme: check.scheme,
    port: check.port,
    intervalMs,
    fastIntervalMs: Math.min(milliseconds(check.fastInterval), intervalMs),
    timeoutMs: milliseconds(check.timeout),
    healthyThreshold: check.healthyThreshold,
    unhealthyThreshold: check.unhealthyThreshold,
    jitter: check.jitter,
    expectStatus: check.expectStatus.map(toStatusRange),
    expectBody: pattern === null ? check.expectBody : new LinearPattern(pattern[1] ?? ""),
    initialState: check.initialState,
  });
}

/** The status must be valid: the schema has checked it. */
export function toStatusRange(status: string | number): StatusRange {
  const [from, to] = String(status).split("-").map(Number);
  return { from: from ?? 0, to: to ?? from ?? 0 };
}

/** The duration must be valid: the schema has checked it. */
export function milliseconds(text: string): number {
  return parseDuration(text) ?? 0;
}
