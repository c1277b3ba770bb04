import type { AttemptResult } from "../attempts/current-attempt.ts";
import { formatGrpcTimeout, isGrpcType, parseGrpcTimeout } from "../grpc/protocol.ts";
import { grpcStatus, httpStatusOf, parseGrpcStatus } from "../grpc/status.ts";
import { fieldValue } from "../http1/fields.ts";

const timeoutField = "grpc-timeout";

/** What a gRPC call has beside its HTTP exchange: the client's deadline, and the status with which an attempt has ended. */
export class GrpcCall {
  /** Milliseconds that the client gives the whole call; undefined without a limit. */
  readonly timeoutMs: number | undefined;
  readonly #timeout: string | undefined;
  readonly #startedAt: number;
  /** The attempt's response is one of gRPC, not that of something in front of the upstream. */
  #isGrpc = false;
  #httpStatus = 0;
  #status: number | undefined;
  #pushback: string | undefined;

  constructor(requestFields: readonly string[], now: number) {
    this.#timeout = fieldValue(requestFields, timeoutField);
    this.timeoutMs = parseGrpcTimeout(this.#timeout);
    this.#startedAt = now;
  }

  /** Undefined while unknown, and for a response that is not one of gRPC. */
  get status(): number | undefined {
    return this.#status;
  }

  /** The fields of a request that is sent now: the upstream gets the time that is left of the client's deadline. */
  withTimeLeft(fields: string[], now: number): string[] {
    const passedMs = now - this.#startedAt;
    if (this.timeoutMs === undefined || passedMs < 1) return fields;
    const left = formatGrpcTimeout(this.timeoutMs - passedMs);
    return fields.map((text, index) =>
      index % 2 === 1 && text === this.#timeout && fields[index - 1]?.toLowerCase() === timeoutField ? left : text,
    );
  }

  /** The time that the client gives the call is over, whether or not a timer has noticed. */
  isOver(now: number): boolean {
    return this.timeoutMs !== undefined && now - this.#startedAt >= this.timeoutMs;
  }

  /** The head of a response. `isEnded`: there is no body, so that the head is a trailers-only response and has the status. */
  onHead(httpStatus: number, fields: readonly string[], isEnded: boolean): void {
    this.#httpStatus = httpStatus;
    this.#isGrpc = isGrpcType(fieldValue(fields, "content-type") ?? "");
    this.#pushback = fieldValue(fields, "grpc-retry-pushback-ms");
    const status = isEnded ? fieldValue(fields, "grpc-status") : undefined;
    this.#status = status === undefined ? undefined : parseGrpcStatus(status);
  }

  /** The response is complete. For a client of gRPC one without a status has failed with UNKNOWN. */
  onEnd(trailers: readonly string[]): void {
    if (this.#status !== undefined) return;
    const status = fieldValue(trailers, "grpc-status");
    if (status !== undefined) this.#status = parseGrpcStatus(status);
    else if (this.#isGrpc && this.#httpStatus === 200) this.#status = grpcStatus.unknown;
  }

  /** The upstream has refused the call before any message. */
  get isUnavailable(): boolean {
    return this.#status === grpcStatus.unavailable;
  }

  /** Milliseconds that the upstream asks to wait before a retry; Infinity if it asks for none (gRPC A6), undefined if it asks for nothing. */
  get pushbackMs(): number | undefined {
    if (this.#pushback === undefined) return undefined;
    return /^\d{1,9}$/.test(this.#pushback) ? Number(this.#pushback) : Infinity;
  }

  /**
   * The result of the attempt. Its status counts as the HTTP status with the same meaning, except that a deadline which the
   * client has set, and may have set too short for any upstream, is no failure of the upstream.
   */
  result(): AttemptResult {
    const status = this.#httpStatus;
    if (this.#status === undefined) return { status };
    const isClients = this.#status === grpcStatus.deadlineExceeded && this.#timeout !== undefined;
    return { status, grpcStatus: this.#status, countsAs: isClients ? 408 : httpStatusOf(this.#status) };
  }
}
