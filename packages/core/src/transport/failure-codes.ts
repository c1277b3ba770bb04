import type { ErrorCode } from "../errors.ts";

const byErrno: Readonly<Record<string, ErrorCode>> = {
  ECONNREFUSED: "connect_refused",
  ENOTFOUND: "dns_failed",
  EAI_AGAIN: "dns_failed",
  ETIMEDOUT: "connect_timeout",
  EMFILE: "no_file_descriptors",
  ENFILE: "no_file_descriptors",
};

/** Maps an error from before the connection was usable, when nothing of the request has been sent. */
export function connectFailureCode(error: unknown, tls: boolean): ErrorCode {
  const errno = errnoOf(error);
  const known = byErrno[errno];
  if (known !== undefined) return known;
  // Any other error over TLS that is not about the route is about the handshake: alerts, certificates, names.
  return tls && !/^E(?:HOSTUNREACH|NETUNREACH|ADDRNOTAVAIL|ACCES|PERM|INVAL)$/.test(errno)
    ? "tls_failed"
    : "connect_failed";
}

/**
 * Whether an error is the upstream's alert about our part of the TLS handshake. In TLS 1.3 the upstream rejects a client
 * certificate after the connection is usable for us (RFC 8446 section 4.4.2.4), without having read the request.
 */
export function isHandshakeAlert(error: unknown): boolean {
  return /^ERR_SSL_(?:TLSV1|TLSV13|SSLV3)_ALERT_(?:\w*CERTIFICATE\w*|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)$/.test(
    errnoOf(error),
  );
}

/** Returns the system's or library's code of an error; the code of the first attempt when several addresses were tried. */
export function errnoOf(error: unknown): string {
  if (typeof error !== "object" || error === null) return "";
  if ("code" in error && typeof error.code === "string") return error.code;
  if (error instanceof AggregateError) return errnoOf(error.errors[0]);
  return "";
}
