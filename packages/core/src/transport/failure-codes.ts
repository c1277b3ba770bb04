import type { ErrorCode } from "../errors.ts";

const byErrno: Readonly<Record<string, ErrorCode>> = {
  ECONNREFUSED: "connect_refused",
  ENOTFOUND: "dns_failed",
  EAI_AGAIN: "dns_failed",
  ETIMEDOUT: "connect_timeout",
  EMFILE: "no_file_descriptors",
  ENFILE: "no_file_descriptors",
};

/** What an error means that came before the connection was usable: nothing of the request has left. */
export function connectFailureCode(error: unknown, tls: boolean): ErrorCode {
  const errno = errnoOf(error);
  const known = byErrno[errno];
  if (known !== undefined) return known;
  // What is left on a TLS connection and is not about the route is about the handshake: alerts, certificates, names.
  return tls && !/^E(?:HOSTUNREACH|NETUNREACH|ADDRNOTAVAIL|ACCES|PERM|INVAL)$/.test(errno)
    ? "tls_failed"
    : "connect_failed";
}

/**
 * Whether an error is the upstream's alert about our part of the handshake. In TLS 1.3 the verdict on a client certificate
 * comes after the connection is usable for us (RFC 8446 section 4.4.2.4); the upstream has read nothing of the request.
 */
export function isHandshakeAlert(error: unknown): boolean {
  return /^ERR_SSL_(?:TLSV1|TLSV13|SSLV3)_ALERT_(?:\w*CERTIFICATE\w*|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)$/.test(
    errnoOf(error),
  );
}

/** The system's or the library's code of an error; that of the first attempt when several addresses were tried. */
export function errnoOf(error: unknown): string {
  if (typeof error !== "object" || error === null) return "";
  if ("code" in error && typeof error.code === "string") return error.code;
  if (error instanceof AggregateError) return errnoOf(error.errors[0]);
  return "";
}
