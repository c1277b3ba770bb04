import type { ErrorCode } from "../errors.ts";
import { causeToReport } from "../transport/failure-cause.ts";
import { connectFailureCode, errnoOf, isHandshakeAlert } from "../transport/failure-codes.ts";
import type { ProbeResult } from "./probe.ts";

/** The stage in which a probe has failed. */
export type ProbeStage = "connect" | "tls" | "head" | "body";

/** Returns the code for an error of node:net, node:tls or node:http. Without an error, the connection has ended. */
export function toErrorCode(error: unknown, stage: ProbeStage, tls: boolean): ErrorCode {
  const code = errnoOf(error);
  if (stage === "connect") return connectFailureCode(error, tls);
  if (stage === "tls" || isHandshakeAlert(error)) return "tls_failed";
  if (code === "HPE_HEADER_OVERFLOW") return "response_headers_too_large";
  if (code.startsWith("HPE_")) return "invalid_response";
  if (/^ERR_(?:HTTP|INVALID|UNESCAPED)_/.test(code)) return "internal";
  return stage === "head" ? "reset" : "response_truncated";
}

/** The results of a probe that timed out: before its connection stood, and after. */
export const timedOut: ProbeResult = { ok: false, reason: "timeout" };
export const hung: ProbeResult = { ok: false, reason: "timeout", reached: true };

/** The result of a probe that has failed with this error. */
export function toFailure(reason: Parameters<typeof causeToReport>[0] & string, error: unknown): ProbeResult {
  const cause = causeToReport(reason, error);
  return cause === undefined ? { ok: false, reason } : { ok: false, reason, cause };
}
