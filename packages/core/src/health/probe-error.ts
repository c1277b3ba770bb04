import type { ErrorCode } from "../errors.ts";
import { connectFailureCode, errnoOf, isHandshakeAlert } from "../transport/failure-codes.ts";

/** How far a probe had come when it failed. */
export type ProbeStage = "connect" | "tls" | "head" | "body";

/** Names an error of node:net, node:tls or node:http; without one the connection has simply ended. */
export function toReason(error: unknown, stage: ProbeStage, tls: boolean): ErrorCode {
  const code = errnoOf(error);
  if (stage === "connect") return connectFailureCode(error, tls);
  if (stage === "tls" || isHandshakeAlert(error)) return "tls_failed";
  if (code === "HPE_HEADER_OVERFLOW") return "response_headers_too_large";
  if (code.startsWith("HPE_")) return "invalid_response";
  if (/^ERR_(?:HTTP|INVALID|UNESCAPED)_/.test(code)) return "internal";
  return stage === "head" ? "reset" : "response_truncated";
}
