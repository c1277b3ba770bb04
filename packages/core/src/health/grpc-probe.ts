import type { ResolvedHealthCheck, UpstreamAddress } from "../config/resolved.ts";
import { formatGrpcTimeout } from "../grpc/protocol.ts";
import { grpcStatus, grpcStatusNames, parseGrpcStatus } from "../grpc/status.ts";
import { fieldValue } from "../http1/fields.ts";
import type { Exchange, ExchangeFailure, ExchangeHandler, RequestHead } from "../transport/transport.ts";
import { decodeHealthResponse, encodeHealthRequest, healthPath, maxHealthResponseBytes } from "./grpc-health.ts";
import type { ProbeResult } from "./probe.ts";
import { probeHeaders } from "./probe-headers.ts";

/** The request of a probe by grpc.health.v1. Its body is that of `GrpcProbeHandler`. */
export function grpcProbeHead(address: UpstreamAddress, check: ResolvedHealthCheck): RequestHead {
  const own: [string, string][] = [
    ["Content-Type", "application/grpc"],
    ["TE", "trailers"],
    ["grpc-timeout", formatGrpcTimeout(check.timeoutMs)],
  ];
  return {
    method: "POST",
    path: address.basePath + healthPath,
    headers: probeHeaders(address, check, own).flat(),
    bodyLength: encodeHealthRequest(check.service).length,
    headersTimeoutMs: 0,
    freshConnection: true,
  };
}

/** Sends the message, and checks the response: SERVING, with the status OK. */
export class GrpcProbeHandler implements ExchangeHandler {
  connected = false;
  readonly #service: string;
  readonly #finish: (result: ProbeResult) => void;
  readonly #onFailure: (failure: ExchangeFailure) => void;
  readonly #chunks: Buffer[] = [];
  #length = 0;
  #head: readonly string[] = [];

  constructor(
    { service }: ResolvedHealthCheck,
    finish: (result: ProbeResult) => void,
    onFailure: (failure: ExchangeFailure) => void,
  ) {
    this.#service = service;
    this.#finish = finish;
    this.#onFailure = onFailure;
  }

  onConnected(exchange: Exchange): void {
    this.connected = true;
    exchange.write(encodeHealthRequest(this.#service));
    exchange.end();
  }

  onInformation(): void {}

  onResponse(status: number, _statusText: string, headers: string[]): void {
    if (status !== 200) return this.#fail(`status ${status}`);
    this.#head = headers;
  }

  onData(chunk: Buffer): boolean {
    this.#length += chunk.length;
    if (this.#length > maxHealthResponseBytes) this.#fail("invalid_response");
    // The memory of the chunk is used again.
    else this.#chunks.push(Buffer.from(chunk));
    return true;
  }

  onFlush(): void {}

  onComplete(trailers: readonly string[]): void {
    const text = fieldValue(trailers, "grpc-status") ?? fieldValue(this.#head, "grpc-status");
    if (text === undefined) return this.#fail("invalid_response");
    const code = parseGrpcStatus(text);
    if (code !== grpcStatus.ok) return this.#fail(`grpc-status ${grpcStatusNames[code]}`);
    const serving = decodeHealthResponse(Buffer.concat(this.#chunks));
    if (serving === "SERVING") this.#finish({ ok: true, reason: "SERVING" });
    else this.#fail(serving ?? "invalid_response");
  }

  onFailure(failure: ExchangeFailure): void {
    this.#onFailure(failure);
  }

  onDrain(): void {}

  #fail(reason: string): void {
    this.#finish({ ok: false, reason });
  }
}
