import type { Socket } from "node:net";
import type { ResolvedHealthCheck, UpstreamAddress } from "../config/resolved.ts";
import { connectTimeoutError, type SocketOpener } from "../transport/connector.ts";
import { createTransport, type TransportSettings } from "../transport/create-transport.ts";
import type { Exchange, ExchangeHandler, RequestHead } from "../transport/transport.ts";
import { BodyMatch } from "./body-match.ts";
import { GrpcProbeHandler, grpcProbeHead } from "./grpc-probe.ts";
import type { ProbeOptions, ProbeResult } from "./probe.ts";
import { hung, timedOut, toFailure } from "./probe-error.ts";
import { probeHeaders } from "./probe-headers.ts";

/** Milliseconds: longer than the timeout of any probe, so that no timeout of the transport applies. */
const noLimitMs = 86_400_000;

/**
 * Probes with one exchange over a new transport, which is destroyed afterwards. The protocol is that of requests to the
 * upstream: HTTP/2 by ALPN or with prior knowledge, or HTTP/1.1 if the upstream negotiates it. gRPC uses HTTP/2 anyway.
 */
export function probeOverTransport(
  address: UpstreamAddress,
  check: ResolvedHealthCheck,
  tls: TransportSettings["tls"],
  { signal, connector, deadline, connections, runtime }: ProbeOptions,
): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const timeouts = { connectMs: noLimitMs, headersMs: noLimitMs, idleMs: noLimitMs, totalMs: 0 };
    let socket: Socket | undefined;
    const opener: SocketOpener = {
      authenticated: connector.authenticated,
      nameOf: (named) => connector.nameOf(named),
      open: (...args) => {
        socket = connector.open(...args);
        socket.unref();
        return socket;
      },
    };
    // gRPC needs HTTP/2, whatever requests use.
    const http2 = check.type !== "grpc" ? connections.http2 : address.tls || "h2c";
    const settings = { connections: { ...connections, http2 }, timeouts, tls };
    const transport = createTransport(address, settings, runtime, opener);
    let exchange: Exchange | undefined;
    const finish = (result: ProbeResult) => {
      signal.removeEventListener("abort", onAbort);
      exchange?.abort();
      transport.destroy();
      resolve(result);
    };
    const handler =
      check.type === "grpc"
        ? new GrpcProbeHandler(check, finish, (failure) => finish(toFailure(failure.code, failure.cause)))
        : new ProbeHandler(check, finish);
    const onAbort = () => {
      const { code, cause } = connectTimeoutError(handler.connected ? undefined : socket);
      const unknown = handler.connected ? hung : timedOut;
      const result = code === "dns_failed" ? toFailure(code, cause) : unknown;
      if (deadline !== undefined) deadline.result = result;
      finish(result);
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort);
    const head = check.type === "grpc" ? grpcProbeHead(address, check) : httpProbeHead(address, check);
    exchange = transport.dispatch(head, handler);
  });
}

function httpProbeHead(address: UpstreamAddress, check: ResolvedHealthCheck): RequestHead {
  return {
    method: check.method,
    path: address.basePath + check.path,
    headers: probeHeaders(address, check).flat(),
    bodyLength: 0,
    headersTimeoutMs: 0,
    freshConnection: true,
  };
}

/** Checks the response. It reads no more of it than the verdict needs. */
class ProbeHandler implements ExchangeHandler {
  connected = false;
  readonly #check: ResolvedHealthCheck;
  readonly #finish: (result: ProbeResult) => void;
  #status = 0;
  #body: BodyMatch | undefined;

  constructor(check: ResolvedHealthCheck, finish: (result: ProbeResult) => void) {
    this.#check = check;
    this.#finish = finish;
  }

  onConnected(): void {
    this.connected = true;
  }

  onInformation(): void {}

  onResponse(status: number): void {
    const { expectStatus, expectBody } = this.#check;
    const expected = expectStatus.some(({ from, to }) => status >= from && status <= to);
    if (!expected || expectBody === undefined) return this.#finish({ ok: expected, reason: `status ${status}` });
    this.#status = status;
    this.#body = new BodyMatch(expectBody);
  }

  onData(chunk: Buffer): boolean {
    if (this.#body?.add(chunk) === true) this.#checkBody();
    return true;
  }

  onFlush(): void {}

  onComplete(): void {
    this.#checkBody();
  }

  onFailure({ code, cause }: Parameters<ExchangeHandler["onFailure"]>[0]): void {
    this.#finish(toFailure(code, cause));
  }

  onDrain(): void {}

  #checkBody(): void {
    const body = this.#body;
    if (body === undefined) return;
    this.#body = undefined;
    const ok = body.matches();
    this.#finish({ ok, reason: ok ? `status ${this.#status}` : "body_mismatch" });
  }
}
