import type { ResolvedHealthCheck } from "../../config/resolved.ts";
import type { Evidence } from "../../coordination/coordination.ts";
import type { ProbeResult } from "../probe.ts";

type VerdictEvidence = Extract<Evidence, { kind: "verdict" }>;

/** Those about this server: another one may have had the same id. */
export function verdictsAbout(url: string, evidence: readonly Evidence[]): readonly VerdictEvidence[] {
  return evidence.filter(
    (one): one is VerdictEvidence => one.kind === "verdict" && one.url === url && one.health !== "unknown",
  );
}

/** The verdict of a group: unhealthy only if all participants that probe agree. Undefined without any. */
export function groupVerdict(verdicts: readonly VerdictEvidence[]): VerdictEvidence | undefined {
  const healthy = verdicts.filter(({ health }) => health === "healthy");
  const deciding = healthy.length > 0 ? healthy : verdicts;
  return deciding.toSorted((a, b) => b.at - a.at)[0];
}

const transportReasons: ReadonlySet<string> = new Set([
  ...["dns_failed", "connect_refused", "connect_failed", "connect_timeout", "tls_failed", "reset", "timeout"],
]);

/** Whether a failed probe has not reached the address to which requests go, which says nothing about other ways to it. */
export function isTransportFailure({ reason, reached }: ProbeResult, { port, scheme }: ResolvedHealthCheck): boolean {
  return port === undefined && scheme === undefined && reached === undefined && transportReasons.has(reason);
}
