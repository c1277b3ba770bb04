/**
 * Every error of a request, a configuration or a call, in one table.
 *
 * Other code only picks an error code. Its status, source, phase, retryability and `Proxy-Status` token come from this table.
 */

/** The cause of an error: the client, the upstream, or this proxy (its limits, its configuration). */
export type ErrorSource = "client" | "upstream" | "proxy";

/** The phase of a request in which an error happened. */
export type ErrorPhase = "config" | "request" | "route" | "pick" | "connect" | "headers" | "body" | "tunnel";

/**
 * When another attempt is safe: `always` (the upstream provably received nothing), `idempotent` (the upstream may have
 * executed the request, so only idempotent requests), `never`.
 */
export type Retryable = "always" | "idempotent" | "never";

/** The stable name of an error, used in logs, metrics and `Proxy-Status`. */
export type ErrorCode =
  | "invalid_options"
  | "unknown_upstream"
  | "closed"
  | "internal"
  | "body_consumed"
  | "request_hook_failed"
  | "response_hook_failed"
  | "bad_request"
  | "request_timeout"
  | "body_too_large"
  | "uri_too_long"
  | "headers_too_large"
  | "expectation_failed"
  | "method_not_allowed"
  | "not_implemented"
  | "version_not_supported"
  | "client_aborted"
  | "send_timeout"
  | "connection_limit"
  | "no_route"
  | "none_available"
  | "sticky_unavailable"
  | "queue_full"
  | "queue_timeout"
  | "policy_failed"
  | "no_file_descriptors"
  | "dns_failed"
  | "connect_refused"
  | "connect_failed"
  | "connect_timeout"
  | "tls_failed"
  | "reset"
  | "headers_timeout"
  | "invalid_response"
  | "response_headers_too_large"
  | "upgrade_failed"
  | "response_truncated"
  | "response_idle_timeout"
  | "total_timeout";

export interface ErrorKind {
  /** The status of the error response. It is sent only if nothing has been sent to the client yet. */
  readonly status: number;
  readonly source: ErrorSource;
  readonly phase: ErrorPhase;
  readonly retryable: Retryable;
  /** The error type of RFC 9209 section 2.3 for the `Proxy-Status` header. */
  readonly token: string;
}

const table: Readonly<Record<ErrorCode, ErrorKind>> = {
  // Calls, options and hooks
  invalid_options: kind(500, "proxy", "config", "never", "proxy_configuration_error"),
  unknown_upstream: kind(500, "proxy", "config", "never", "proxy_configuration_error"),
  closed: kind(503, "proxy", "pick", "never", "destination_unavailable"),
  internal: kind(500, "proxy", "request", "never", "proxy_internal_error"),
  body_consumed: kind(500, "proxy", "request", "never", "proxy_internal_error"),
  request_hook_failed: kind(500, "proxy", "request", "never", "proxy_internal_error"),
  response_hook_failed: kind(502, "proxy", "headers", "never", "proxy_internal_error"),

  // The client
  bad_request: kind(400, "client", "request", "never", "http_request_error"),
  request_timeout: kind(408, "client", "body", "never", "http_request_error"),
  body_too_large: kind(413, "client", "body", "never", "http_request_error"),
  uri_too_long: kind(414, "client", "request", "never", "http_request_error"),
  headers_too_large: kind(431, "client", "request", "never", "http_request_error"),
  expectation_failed: kind(417, "client", "request", "never", "http_request_error"),
  method_not_allowed: kind(405, "client", "request", "never", "http_request_denied"),
  not_implemented: kind(501, "client", "request", "never", "http_request_error"),
  version_not_supported: kind(505, "client", "request", "never", "http_request_error"),
  client_aborted: kind(499, "client", "body", "never", "http_request_error"),
  send_timeout: kind(499, "client", "body", "never", "connection_write_timeout"),

  // Limits, routing and selection of an upstream
  connection_limit: kind(503, "proxy", "request", "never", "connection_limit_reached"),
  no_route: kind(404, "proxy", "route", "never", "destination_not_found"),
  none_available: kind(503, "proxy", "pick", "never", "destination_unavailable"),
  sticky_unavailable: kind(503, "proxy", "pick", "never", "destination_unavailable"),
  queue_full: kind(503, "proxy", "pick", "never", "connection_limit_reached"),
  queue_timeout: kind(503, "proxy", "pick", "always", "connection_limit_reached"),
  policy_failed: kind(500, "proxy", "pick", "never", "proxy_internal_error"),
  no_file_descriptors: kind(503, "proxy", "connect", "never", "proxy_internal_error"),

  // Connect: nothing of the request has been sent
  dns_failed: kind(502, "upstream", "connect", "always", "dns_error"),
  connect_refused: kind(502, "upstream", "connect", "always", "connection_refused"),
  connect_failed: kind(502, "upstream", "connect", "always", "destination_ip_unroutable"),
  connect_timeout: kind(504, "upstream", "connect", "always", "connection_timeout"),
  tls_failed: kind(502, "upstream", "connect", "always", "tls_protocol_error"),

  // Response head
  reset: kind(502, "upstream", "headers", "idempotent", "connection_terminated"),
  headers_timeout: kind(504, "upstream", "headers", "idempotent", "http_response_timeout"),
  invalid_response: kind(502, "upstream", "headers", "never", "http_protocol_error"),
  response_headers_too_large: kind(502, "upstream", "headers", "never", "http_response_header_section_size"),
  upgrade_failed: kind(502, "upstream", "tunnel", "never", "http_upgrade_failed"),

  // Response body
  response_truncated: kind(502, "upstream", "body", "idempotent", "http_response_incomplete"),
  response_idle_timeout: kind(504, "upstream", "body", "never", "connection_read_timeout"),
  total_timeout: kind(504, "proxy", "body", "never", "http_response_timeout"),
};

/** The class of every error that Evenkeel throws, emits or records. Compare `code`, not the message. */
export class ProxyError extends Error {
  override readonly name = "ProxyError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  get status(): number {
    return table[this.code].status;
  }

  get source(): ErrorSource {
    return table[this.code].source;
  }

  get phase(): ErrorPhase {
    return table[this.code].phase;
  }
}

/** Returns the status, source, phase, retryability and RFC 9209 token of an error code. */
export function errorKind(code: ErrorCode): ErrorKind {
  return table[code];
}

/** Whether connecting has failed. Nothing was sent then, so another upstream may be tried whatever the method. */
export function isConnectFailure(code: ErrorCode): boolean {
  const { phase, retryable } = table[code];
  return phase === "connect" && retryable === "always";
}

function kind(status: number, source: ErrorSource, phase: ErrorPhase, retryable: Retryable, token: string): ErrorKind {
  return { status, source, phase, retryable, token };
}
