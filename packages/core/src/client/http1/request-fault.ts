import type { ErrorCode } from "../../errors.ts";
import { Http1Error } from "../../http1/http1-error.ts";

/** The parts of a request line. */
export interface RequestLine {
  readonly method: string;
  readonly target: string;
  /** "1.0" or "1.1"; empty for any other version. */
  readonly httpVersion: string;
}

/** A request that cannot be read further. The connection closes after the response to it. */
export class RequestFault extends Error {
  override readonly name = "RequestFault";
  readonly code: ErrorCode;
  /** What could be read of the request line. */
  readonly line: RequestLine | undefined;

  constructor(code: ErrorCode, message: string, line?: RequestLine) {
    super(message);
    this.code = code;
    this.line = line;
  }

  /** Translates a fault of the grammar that requests and responses share. Any other error is thrown again. */
  static from(error: unknown, line?: RequestLine): RequestFault {
    if (error instanceof RequestFault) return error;
    if (!(error instanceof Http1Error)) throw error;
    return new RequestFault(codes[error.fault], error.message, line);
  }
}

const codes = {
  malformed: "bad_request",
  "too-large": "headers_too_large",
  unsupported: "not_implemented",
} as const;
