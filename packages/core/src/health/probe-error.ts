import type { ErrorCode } from "../errors.ts";

/** How far a probe had come when it failed. */
export type ProbeStage = "connect" | "tls" | "head" | "body";

/** Names an error of node:net, node:tls or node:http; without one the connection has simply ended. */
export function toReason(error: unknown, stage: ProbeStage): ErrorCode {
  const code = String((error as NodeJS.ErrnoException | undefined)?.code);
  if (code === "EMFILE" || code === "ENFILE") return "no_file_descriptors";
  if (code === "ENOTFOUND" || code.startsWith("EAI_")) return "dns_failed";
  if (code === "ECONNREFUSED") return "connect_refused";
  if (code === "HPE_HEADER_OVERFLOW") return "response_headers_too_large";
  if (code.startsWith("HPE_")) return "invalid_response";
  if (stage === "tls" || /^ERR_(?:OSSL|SSL|TLS)_/.test(code)) return "tls_failed";
  if (/^ERR_(?:HTTP|INVALID|UNESCAPED)_/.test(code)) return "internal";
  if (stage === "connect") return "connect_failed";
  return stage === "head" ? "reset" : "response_truncated";
}
