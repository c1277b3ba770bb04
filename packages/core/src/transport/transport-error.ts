import type { ErrorCode } from "../errors.ts";
import { Http1Error } from "../http1/http1-error.ts";

/** Why an exchange fails. Thrown where the fault is found, and caught by the connection, which then closes. */
export class TransportError extends Error {
  override readonly name = "TransportError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  /** A handler must not throw; when one does, only its exchange fails. */
  static from(error: unknown): TransportError {
    if (error instanceof TransportError) return error;
    if (!(error instanceof Http1Error)) return new TransportError("internal", String(error));
    const code = error.fault === "too-large" ? "response_headers_too_large" : "invalid_response";
    return new TransportError(code, error.message);
  }
}
