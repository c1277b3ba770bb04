/**
 * The status codes of gRPC (https://github.com/grpc/grpc/blob/master/doc/statuscodes.md), and how they relate to HTTP statuses
 * and to our error codes.
 */

import { type ErrorCode, errorKind } from "../errors.ts";

/** The names of the codes; the index is the code. */
const names = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
] as const;

export type GrpcStatusName = (typeof names)[number];

export const grpcStatusNames: readonly GrpcStatusName[] = names;

export const grpcStatus = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  permissionDenied: 7,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/**
 * HTTP statuses with the same meaning, by code, as in google/rpc/code.proto and in Envoy. Except UNIMPLEMENTED, which is not
 * 501 but 404, as in gRPC's own mapping from HTTP: a client that calls an unknown method must not count against an upstream
 * (linkerd does not count it either).
 */
const httpStatuses: readonly number[] = [
  200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 404, 500, 503, 500, 401,
];

/** Statuses of our errors that are more exact than what their HTTP status stands for. */
const ownStatuses: Partial<Record<ErrorCode, number>> = {
  client_aborted: grpcStatus.cancelled,
  body_too_large: grpcStatus.resourceExhausted,
  headers_too_large: grpcStatus.resourceExhausted,
  // Whether the upstream has executed the call is unknown, so a client must not take it for UNAVAILABLE and repeat it.
  headers_timeout: grpcStatus.deadlineExceeded,
  response_idle_timeout: grpcStatus.deadlineExceeded,
  total_timeout: grpcStatus.deadlineExceeded,
};

/** https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md; other statuses are UNKNOWN there. */
const statusesOfHttp: Readonly<Record<number, number>> = {
  400: grpcStatus.internal,
  401: grpcStatus.unauthenticated,
  403: grpcStatus.permissionDenied,
  404: grpcStatus.unimplemented,
  429: grpcStatus.unavailable,
  500: grpcStatus.internal,
  502: grpcStatus.unavailable,
  503: grpcStatus.unavailable,
  504: grpcStatus.unavailable,
};

/** The code in a `grpc-status` field. As for gRPC clients, anything but a known code is UNKNOWN. */
export function parseGrpcStatus(text: string): number {
  if (!/^\d{1,2}$/.test(text)) return grpcStatus.unknown;
  const code = Number(text);
  return code < grpcStatusNames.length ? code : grpcStatus.unknown;
}

/** The HTTP status with the same meaning. */
export function httpStatusOf(code: number): number {
  return httpStatuses[code] ?? 500;
}

/** The status of a locally generated response to a gRPC client. */
export function grpcStatusOfError(code: ErrorCode): number {
  return ownStatuses[code] ?? statusesOfHttp[errorKind(code).status] ?? grpcStatus.unknown;
}
