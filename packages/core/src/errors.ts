/**
 * Every way a request, a configuration or a call can fail, in one table.
 *
 * Nothing else in the project picks a status, a `Proxy-Status` token or who is to blame: it picks a
 * code, and the rest follows from here.
 */

/** Who caused an error: the client, the upstream, or this proxy (its limits, its configuration). */
export type ErrorSource = "client" | "upstream" | "proxy";

/** The part of a request's life in which an error happened. */
export type ErrorPhase = "config" | "request" | "route" | "pick" | "connect" | "headers" | "body" | "tunnel";

/**
 * When another attempt is safe: `always` (provably nothing reached the upstream), `idempotent`
 * (it may have been executed), `never`.
 */
export type Retryable = "always" | "idempotent" | "never";

/** The name of a way to fail. Stable: logs, metrics and `Proxy-Status` carry it. */
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
  /** The status a client gets when nothing has been sent to it yet. */
  readonly status: number;
  readonly source: ErrorSource;
  readonly phase: ErrorPhase;
  readonly retryable: Retryable;
  /** The error type of RFC 9209 section 2.3 for the `Proxy-Status` header. */
  readonly token: string;
}

const table: Readonly<Record<ErrorCode, ErrorKind>> = {
  // Using the library
  invalid_options: kind(500, "proxy", "config", "never", "proxy_configuration_error"),
  unknown_upstream: kind(500, "proxy", "config", "never", "proxy_configuration_error"),
  closed: kind(503, "proxy", "pick", "never", "destination_unavailable"),
  internal: kind(500, "proxy", "request", "never", "proxy_internal_error"),
  body_consumed: kind(500, "proxy", "request", "never", "proxy_internal_error"),
  request_hook_failed: kind(500, "proxy", "request", "never", "proxy_internal_error"),
  response_hook_failed: kind(502, "proxy", "headers", "never", "proxy_internal_error"),

  // The client's side
  bad_request: kind(400, "client", "request", "never", "http_request_error"),
  request_timeout: kind(408, "client", "body", "never", "http_request_error"),
  body_too_large: kind(413, "client", "body", "never", "http_request_error"),
  uri_too_long: kind(414, "client", "request", "never", "http_request_error"),
  headers_too_large: kind(431, "client", "request", "never", "http_request_error"),
  expectation_failed: kind(417, "client", "request", "never", "http_request_error"),
  method_not_allowed: kind(405, "client", "request", "never", "http_request_denied"),
  not_implemented: kind(501, "client", "request", "never", "http_request_error"),
  client_aborted: kind(499, "client", "body", "never", "http_request_error"),
  send_timeout: kind(499, "client", "body", "never", "connection_write_timeout"),

  // Choosing an upstream
  connection_limit: kind(503, "proxy", "request", "never", "connection_limit_reached"),
  no_route: kind(404, "proxy", "route", "never", "destination_not_found"),
  none_available: kind(503, "proxy", "pick", "never", "destination_unavailable"),
  sticky_unavailable: kind(503, "proxy", "pick", "never", "destination_unavailable"),
  queue_full: kind(503, "proxy", "pick", "never", "connection_limit_reached"),
  queue_timeout: kind(503, "proxy", "pick", "always", "connection_limit_reached"),
  policy_failed: kind(500, "proxy", "pick", "never", "proxy_internal_error"),
  no_file_descriptors: kind(503, "proxy", "connect", "never", "proxy_internal_error"),

  // Connecting: nothing of the request has left yet
  dns_failed: kind(502, "upstream", "connect", "always", "dns_error"),
  connect_refused: kind(502, "upstream", "connect", "always", "connection_refused"),
  connect_failed: kind(502, "upstream", "connect", "always", "destination_ip_unroutable"),
  connect_timeout: kind(504, "upstream", "connect", "always", "connection_timeout"),
  tls_failed: kind(502, "upstream", "connect", "always", "tls_protocol_error"),

  // Waiting for the response head
  reset: kind(502, "upstream", "headers", "idempotent", "connection_terminated"),
  headers_timeout: kind(504, "upstream", "headers", "idempotent", "http_response_timeout"),
  invalid_response: kind(502, "upstream", "headers", "never", "http_protocol_error"),
  response_headers_too_large: kind(502, "upstream", "headers", "never", "http_response_header_section_size"),
  upgrade_failed: kind(502, "upstream", "tunnel", "never", "http_upgrade_failed"),

  // Within the response body
  response_truncated: kind(502, "upstream", "body", "idempotent", "http_response_incomplete"),
  response_idle_timeout: kind(504, "upstream", "body", "never", "connection_read_timeout"),
  total_timeout: kind(504, "proxy", "body", "never", "http_response_timeout"),
};

/** The one class of every error that Evenkeel throws, emits or records. Compare `code`, not the message. */
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

/** What is known of an error code: status, source, phase, retryability, RFC 9209 token. */
export function errorKind(code: ErrorCode): ErrorKind {
  return table[code];
}

/** Whether no connection could be made: nothing was sent, so the request may go elsewhere whatever its method. */
export function isConnectFailure(code: ErrorCode): boolean {
  const { phase, retryable } = table[code];
  return phase === "connect" && retryable === "always";
}

function kind(status: number, source: ErrorSource, phase: ErrorPhase, retryable: Retryable, token: string): ErrorKind {
  return { status, source, phase, retryable, token };
}
