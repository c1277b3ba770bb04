import type { ErrorCode } from "../errors.ts";

/** What is wrong with an exchange, thrown where it is found and caught by the connection that it condemns. */
export class TransportError extends Error {
  override readonly name = "TransportError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  /** A handler must not throw; when one does, its exchange fails and nothing else. */
  static from(error: unknown): TransportError {
    return error instanceof TransportError ? error : new TransportError("internal", String(error));
  }
}
