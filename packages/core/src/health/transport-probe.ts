import type { Socket } from "node:net";
import type { ResolvedHealthCheck, UpstreamAddress } from "../config/resolved.ts";
import { connectTimeoutError, type SocketOpener } from "../transport/connector.ts";
import { createTransport, type TransportSettings } from "../transport/create-transport.ts";
import { causeToReport } from "../transport/failure-cause.ts";
import type { Exchange, ExchangeHandler } from "../transport/transport.ts";
import { BodyMatch } from "./body-match.ts";
import type { ProbeOptions, ProbeResult } from "./probe.ts";

/** Milliseconds: longer than the timeout of any probe, so that no timeout of the transport applies. */
const noLimitMs = 86_400_000;

/**
 * Probes with one exchange over a new transport, which is destroyed afterwards. The protocol is that of requests to the
 * upstream: HTTP/2 by ALPN or with prior knowledge, or HTTP/1.1 if the upstream negotiates it.
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
    const transport = createTransport(address, { connections, timeouts, tls }, runtime, opener);
    let exchange: Exchange | undefined;
    const finish = (result: ProbeResult) => {
      signal.removeEventListener("abort", onAbort);
      exchange?.abort();
      transport.destroy();
      resolve(result);
    };
    const handler = new ProbeHandler(check, finish);
    const onAbort = () => {
      const { code, cause } = connectTimeoutError(handler.connected ? undefined : socket);
      const result: ProbeResult = code === "dns_failed" ? toFailure(code, cause) : { ok: false, reason: "timeout" };
      if (deadline !== undefined) deadline.result = result;
      finish(result);
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort);
    exchange = transport.dispatch(
      {
        method: check.method,
        path: address.basePath + check.path,
        headers: probeHeaders(address, check).flat(),
        bodyLength: 0,
        headersTimeoutMs: 0,
        freshConnection: true,
      },
      handler,
    );
  });
}

/** The headers of a probe. Those of the options replace ours of the same name. */
export function probeHeaders({ host }: UpstreamAddress, { headers }: ResolvedHealthCheck): [string, string][] {
  const own = Object.entries(headers);
  const names = new Set(own.map(([name]) => name.toLowerCase()));
  const ours: [string, string][] = [
    ["Host", host],
    ["User-Agent", "evenkeel-health"],
    ["Accept", "*/*"],
  ];
  return [...ours.filter(([name]) => !names.has(name.toLowerCase())), ...own];
}

function toFailure(reason: Parameters<typeof causeToReport>[0] & string, error: unknown): ProbeResult {
  const cause = causeToReport(reason, error);
  return cause === undefined ? { ok: false, reason } : { ok: false, reason, cause };
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
