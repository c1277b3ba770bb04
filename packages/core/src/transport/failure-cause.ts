import { limits } from "../config/defaults.ts";
import type { ErrorCode } from "../errors.ts";
import { errnoOf } from "./failure-codes.ts";

/** The cause of a failure whose code stands for many; that of the other codes would only repeat the code. */
export function causeToReport(code: ErrorCode | undefined, error: unknown): string | undefined {
  return code === "tls_failed" || code === "dns_failed" || code === "connect_failed" ? causeOf(error) : undefined;
}

/**
 * Why a connection failed, in the words of the system, of the resolver or of OpenSSL, with the code where there is one:
 * `certificate has expired (CERT_HAS_EXPIRED)`. Undefined when the error says nothing.
 *
 * Parts of it may come from the upstream's certificate, so its length is bounded and control characters are replaced.
 */
export function causeOf(error: unknown): string | undefined {
  const origin = originOf(error);
  if (typeof origin !== "object" || origin === null) return undefined;
  const { message, reason } = origin as { message?: unknown; reason?: unknown };
  const code = errnoOf(origin);
  const text = typeof reason === "string" && code.startsWith("ERR_") ? reason : withoutLogLine(String(message ?? ""));
  // Our own codes, in lower case, stand beside the cause anyway.
  const full = !/^[A-Z]/.test(code) || text.includes(code) ? text : `${text} (${code})`;
  const plain = full.replace(/[\p{Cc}\u2028\u2029]+/gu, " ").trim();
  return plain === "" ? undefined : plain.slice(0, limits.failureCauseLength);
}

/** The error underneath those that our own code and Node put around it. */
function originOf(error: unknown): unknown {
  let origin = error;
  // Bounded: a chain of causes may lead back to itself.
  for (let depth = 0; depth < 4; depth++) {
    if (origin instanceof AggregateError && origin.errors.length > 0) origin = origin.errors[0];
    else if (origin instanceof Error && origin.name === "TransportError" && origin.cause !== undefined)
      origin = origin.cause;
    else break;
  }
  return origin;
}

/** A message that is a line of OpenSSL's log, with addresses, functions and file names, is reduced to its reason. */
function withoutLogLine(message: string): string {
  return /:error:[0-9A-F]{1,16}:[^:\n]*:[^:\n]*:([^:\n]+)/.exec(message)?.[1] ?? message;
}
