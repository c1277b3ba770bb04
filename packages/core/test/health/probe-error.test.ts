import { expect, test } from "vitest";
import { type ProbeStage, toErrorCode } from "../../src/health/probe-error.ts";

test.each<[string | undefined, ProbeStage, string]>([
  ["ENOTFOUND", "connect", "dns_failed"],
  ["EAI_AGAIN", "connect", "dns_failed"],
  ["ECONNREFUSED", "connect", "connect_refused"],
  ["EHOSTUNREACH", "connect", "connect_failed"],
  ["ETIMEDOUT", "connect", "connect_timeout"],
  ["EMFILE", "connect", "no_file_descriptors"],
  ["ENFILE", "connect", "no_file_descriptors"],
  ["ECONNRESET", "tls", "tls_failed"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "tls", "tls_failed"],
  ["ERR_OSSL_PEM_NO_START_LINE", "connect", "tls_failed"],
  ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "head", "tls_failed"],
  ["ECONNRESET", "head", "reset"],
  ["EPIPE", "head", "reset"],
  [undefined, "head", "reset"],
  ["HPE_HEADER_OVERFLOW", "head", "response_headers_too_large"],
  ["HPE_INVALID_CONSTANT", "head", "invalid_response"],
  ["HPE_INVALID_CHUNK_SIZE", "body", "invalid_response"],
  ["ECONNRESET", "body", "response_truncated"],
  ["ERR_HTTP_TRAILER_INVALID", "head", "internal"],
  ["ERR_INVALID_CHAR", "head", "internal"],
])("%s while at %s is %s", (code, stage, reason) => {
  expect(
    toErrorCode(code && Object.assign(new Error("x"), { code }), stage, stage === "tls" || reason === "tls_failed"),
  ).toBe(reason);
});
