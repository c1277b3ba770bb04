import type { ProxySnapshot } from "evenkeel";
import { type Answer, json } from "./answer.ts";

/** 200 when every pool has an available upstream and the proxy is not draining, else 503 with every reason. */
export function readiness(snapshot: ProxySnapshot): Answer {
  const reasons: object[] = [];
  if (snapshot.draining) reasons.push({ code: "draining", message: "the proxy is draining" });
  for (const { name, available } of snapshot.pools) {
    if (available > 0) continue;
    reasons.push({ code: "none_available", pool: name, message: `pool "${name}" has no available upstream` });
  }
  return reasons.length === 0 ? json(200, { ready: true }) : json(503, { ready: false, reasons });
}
