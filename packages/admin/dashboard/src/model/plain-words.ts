/** Codes of failures in plain words, beside the code: the words explain, and the code is what logs and metrics have. */

const words: Readonly<Record<string, string>> = {
  connect_refused: "connection refused",
  connect_failed: "cannot connect",
  connect_timeout: "no connection in time",
  dns_failed: "name not found",
  tls_failed: "TLS failed",
  reset: "connection reset",
  headers_timeout: "no response in time",
  total_timeout: "no response in time",
  invalid_response: "malformed response",
  response_headers_too_large: "response head too large",
  response_truncated: "response broke off",
  response_idle_timeout: "response stopped",
  upgrade_failed: "upgrade failed",
  none_available: "no upstream available",
  no_route: "no route matches",
  queue_full: "queue full",
  queue_timeout: "waited too long in the queue",
  no_file_descriptors: "no free file descriptor",
  connection_limit: "too many connections",
  "consecutive-failures": "failed several times in a row",
  "failure-ratio": "too many failures",
  "trial-failed": "trial request failed",
};

const code = new RegExp(`(?<![\\w-])(${Object.keys(words).join("|")})(?![\\w-])`, "g");

/** `connect_refused` becomes `connection refused (connect_refused)`. What is not known stays as it is. */
export function inPlainWords(text: string): string {
  return text.replace(code, (name) => `${words[name]} (${name})`);
}
