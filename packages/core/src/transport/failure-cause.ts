import { limits } from "../config/defaults.ts";
import type { ErrorCode } from "../errors.ts";
import { errnoOf } from "./failure-codes.ts";

/** Returns the cause of a failure whose code stands for many causes. For other codes it would only repeat the code. */
export function causeToReport(code: ErrorCode | undefined, error: unknown): string | undefined {
  return code === "tls_failed" || code === "dns_failed" || code === "connect_failed" ? causeOf(error) : undefined;
}

/**
 * Returns why a connection failed, as the system, the resolver or OpenSSL reports it, with the code where there is one:
 * `certificate has expired (CERT_HAS_EXPIRED)`. Undefined when the error has no message.
 *
 * Parts of the text may come from the upstream's certificate, so its length is bounded and control characters are replaced.
 */
export function causeOf(error: unknown): string | undefined {
  const origin = originOf(error);
  if (typeof origin !== "object" || origin === null) return undefined;
  const { message, reason } = origin as { message?: unknown; reason?: unknown };
  const code = errnoOf(origin);
  const text = typeof reason === "string" && code.startsWith("ERR_") ? reason : withoutLogLine(String(message ?? ""));
  // Our own codes, in lower case, are reported beside the cause anyway.
  const full = !/^[A-Z]/.test(code) || text.includes(code) ? text : `${text} (${code})`;
  const plain = full.replace(/[\p{Cc}\u2028\u2029]+/gu, " ").trim();
  return plain === "" ? undefined : plain.slice(0, limits.failureCauseLength);
}

/** Unwraps the errors that our own code and Node put around the original one. */
function originOf(error: unknown): unknown {
  let origin = error;
  // Bounded: a chain of causes may be circular.
  for (let depth = 0; depth < 4; depth++) {
    if (origin instanceof AggregateError && origin.errors.length > 0) origin = origin.errors[0];
    else if (origin instanceof Error && origin.name === "TransportError" && origin.cause !== undefined)
      origin = origin.cause;
    else break;
  }
  return origin;
}

/** Reduces a line of OpenSSL's log, with addresses, functions and file names, to its reason. */
function withoutLogLine(message: string): string {
  return /:error:[0-9A-F]{1,16}:[^:\n]*:[^:\n]*:([^:\n]+)/.exec(message)?.[1] ?? message;
}
