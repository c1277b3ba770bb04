import * as http from "node:http";
import type { Socket } from "node:net";
import { limits } from "../config/defaults.ts";
import type { ResolvedConnections, ResolvedHealthCheck, ResolvedTls, UpstreamAddress } from "../config/resolved.ts";
import { bindContext } from "../runtime/async-context.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { traceProbe } from "../tracing/traced-probe.ts";
import { type Connector, connectTimeoutError, readyEvent } from "../transport/connector.ts";
import { causeToReport } from "../transport/failure-cause.ts";
import { BodyMatch } from "./body-match.ts";
import { hung, type ProbeStage, timedOut, toErrorCode, toFailure } from "./probe-error.ts";
import { probeHeaders } from "./probe-headers.ts";
import { probeOverTransport } from "./transport-probe.ts";

export interface ProbeResult {
  readonly ok: boolean;
  /**
   * The result: `status 200`, `connected`, `SERVING`, `timeout`, `body_mismatch`, or an error code. `no_file_descriptors`
   * does not count: it is a failure of this process.
   */
  readonly reason: string;
  /** Why the connection has failed, if more is known than `reason`. */
  readonly cause?: string | undefined;
  /** The connection stood when the probe timed out: the upstream was reached, and has not responded. */
  readonly reached?: true;
}

export interface ProbeOptions {
  /** For traces. */
  readonly names?: { readonly pool: string; readonly upstream: string };
  readonly signal: AbortSignal;
  readonly connector: Connector;
  /** Those of the pool, for HTTP/2 and the limits of a response head. */
  readonly connections: ResolvedConnections;
  readonly runtime: Runtime;
  /** On abort the probe sets `result` synchronously; its promise resolves later. */
  readonly deadline?: { result: ProbeResult };
}

/** Probes one upstream once. It never rejects: a failure is a result. An abort of the signal ends it at once. */
export type Probe = (
  address: UpstreamAddress,
  check: ResolvedHealthCheck,
  tls: ResolvedTls,
  options: ProbeOptions,
) => Promise<ProbeResult>;

/**
 * Probes over a new connection, which is destroyed afterwards.
 *
 * "tcp" only connects, TLS included. "http" sends one request for `path`, with the path of the upstream's URL as its prefix,
 * over the protocol of the pool. "grpc" calls `Check` of grpc.health.v1 over HTTP/2. `scheme` and `port` replace those of the
 * upstream, except that a Unix socket has no port.
 * Redirects are not followed, and a protocol switch is a failure. The probe reads only the head, and as much of the body as
 * `expectBody` needs, at most 64 KiB.
 */
export const probe: Probe = (upstream, check, tlsOptions, options) => {
  const address = probedAddress(upstream, check);
  const { http2 } = options.connections;
  // With its own scheme the check addresses another server than the app, such as a plain HTTP management port.
  const speaksHttp2 = address.tls ? http2 !== false : http2 === "h2c" && check.scheme === undefined;
  return check.type === "grpc" || (check.type === "http" && speaksHttp2)
    ? probeOverTransport(address, check, tlsOptions, options)
    : probeOverSocket(address, check, tlsOptions, options);
};

/** `probe`, published on the diagnostics channel. */
export const tracedProbe: Probe = (address, check, tls, options) => {
  const { pool = "", upstream = "" } = options.names ?? {};
  const { type, method, path } = check;
  return traceProbe({ pool, upstream, address, type, method, path: address.basePath + path }, () =>
    probe(address, check, tls, options),
  );
};

function probedAddress(upstream: UpstreamAddress, { scheme, port }: ResolvedHealthCheck): UpstreamAddress {
  if (scheme === undefined && port === undefined) return upstream;
  return { ...upstream, tls: scheme === undefined ? upstream.tls : scheme === "https", port: port ?? upstream.port };
}

/** Probes over HTTP/1.1, or by a connection alone. */
const probeOverSocket: Probe = (address, check, tlsOptions, { signal, connector, deadline, connections }) =>
  new Promise((resolve) => {
    let stage: ProbeStage = "connect";
    let socket: Socket | undefined;
    const finish = (ok: boolean, reason: string, cause?: string) => {
      signal.removeEventListener("abort", onAbort);
      socket?.destroy();
      resolve(cause === undefined ? { ok, reason } : { ok, reason, cause });
    };
    /** Sets the result synchronously for the caller that has aborted the probe. */
    const finishAborted = (result: ProbeResult) => {
      if (deadline !== undefined) deadline.result = result;
      signal.removeEventListener("abort", onAbort);
      socket?.destroy();
      resolve(result);
    };
    const fail = (error?: unknown) => {
      const reason = toErrorCode(error, stage, address.tls);
      finish(false, reason, causeToReport(reason, error));
    };
    const onAbort = () => {
      const { code, cause } = connectTimeoutError(stage === "connect" ? socket : undefined);
      if (code === "dns_failed") finishAborted(toFailure(code, cause));
      else finishAborted(stage === "head" || stage === "body" ? hung : timedOut);
    };
    // The socket belongs to no context, and the request to that of the probe.
    const onReady = bindContext(() => {
      if (check.type === "tcp") return finish(true, "connected");
      stage = "head";
      const onHead = () => {
        stage = "body";
      };
      try {
        exchange(socket as Socket, address, check, {
          finish,
          fail,
          onHead,
          maxHeadBytes: connections.responseHead.bytes,
        });
      } catch (error) {
        fail(error);
      }
    });

    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort);
    try {
      socket = connector.open(address, tlsOptions, check.type === "http" ? { alpn: ["http/1.1"] } : {});
    } catch (error) {
      return fail(error);
    }
    // Never removed: a destroyed socket can still emit an error.
    socket.on("error", fail);
    socket.unref();
    socket.once("connect", () => {
      stage = "tls";
    });
    socket.once(readyEvent(address), onReady);
  });

interface ExchangeEvents {
  finish(ok: boolean, reason: string): void;
  fail(error?: unknown): void;
  onHead(): void;
  readonly maxHeadBytes: number;
}

/** Sends the request over a connected socket and checks the response. */
function exchange(
  socket: Socket,
  address: UpstreamAddress,
  check: ResolvedHealthCheck,
  { finish, fail, onHead, maxHeadBytes }: ExchangeEvents,
): void {
  const request = http.request({
    createConnection: () => socket,
    method: check.method,
    path: address.basePath + check.path,
    headers: Object.fromEntries(probeHeaders(address, check)),
    maxHeaderSize: maxHeadBytes,
  });
  let informational = 0;
  request.on("error", fail);
  request.on("close", fail);
  request.on("upgrade", (response) => finish(false, `status ${response.statusCode}`));
  request.on("information", () => {
    if (++informational > limits.informationalResponses) finish(false, "invalid_response");
  });
  request.on("response", (response) => {
    onHead();
    request.off("close", fail);
    response.on("error", fail);
    const status = response.statusCode ?? 0;
    const expected = check.expectStatus.some(({ from, to }) => status >= from && status <= to);
    if (!expected || check.expectBody === undefined) return finish(expected, `status ${status}`);

    const body = new BodyMatch(check.expectBody);
    const checkBody = () => {
      // Chunks received together with this one still follow. The pattern must not run again for each of them.
      response.off("data", onData).off("end", checkBody);
      const matches = body.matches();
      finish(matches, matches ? `status ${status}` : "body_mismatch");
    };
    const onData = (chunk: Buffer) => {
      if (body.add(chunk)) checkBody();
    };
    response.on("data", onData).on("end", checkBody);
  });
  request.end();
}
