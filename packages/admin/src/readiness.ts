import type { DiscoverySnapshot, ProxySnapshot } from "evenkeel";
import { type Answer, json } from "./answer.ts";

/** 200 when every pool has an available upstream and the proxy is not draining, else 503 with every reason. */
export function readiness(snapshot: ProxySnapshot): Answer {
  const reasons: object[] = [];
  if (snapshot.draining) reasons.push({ code: "draining", message: "the proxy is draining" });
  for (const { name, available, discovery } of snapshot.pools) {
    if (available > 0) continue;
    const message = `pool "${name}" has no available upstream${discovery === null ? "" : because(discovery)}`;
    reasons.push({ code: "none_available", pool: name, message });
  }
  return reasons.length === 0 ? json(200, { ready: true }) : json(503, { ready: false, reasons });
}

/** What of it is due to DNS. */
function because({ name, status, lastError }: DiscoverySnapshot): string {
  if (status === "awaited") return `: ${name} is being looked up`;
  return status === "failing" ? `: looking up ${name} fails (${lastError?.reason})` : "";
}
