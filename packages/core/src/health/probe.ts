import * as http from "node:http";
import type { Socket } from "node:net";
import { limits } from "../config/defaults.ts";
import type { ResolvedConnections, ResolvedHealthCheck, ResolvedTls, UpstreamAddress } from "../config/resolved.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type Connector, connectTimeoutError, readyEvent } from "../transport/connector.ts";
import { causeToReport } from "../transport/failure-cause.ts";
import { BodyMatch } from "./body-match.ts";
import { type ProbeStage, toReason } from "./probe-error.ts";
import { probeHeaders, probeOverTransport } from "./transport-probe.ts";

export interface ProbeResult {
  readonly ok: boolean;
  /**
   * What was seen: `status 200`, `connected`, `timeout`, `body_mismatch`, or an error code. `no_file_descriptors` is
   * no verdict, since it is this process that has run out.
   */
  readonly reason: string;
  /** Why the connection failed, when `reason` alone does not say it. */
  readonly cause?: string | undefined;
}

export interface ProbeOptions {
  readonly signal: AbortSignal;
  readonly connector: Connector;
  /** Those of the pool: whether HTTP/2 is spoken, and how large a head may be. */
  readonly connections: ResolvedConnections;
  readonly runtime: Runtime;
  /** Where the result of a probe whose signal is aborted is put during the abort. */
  readonly deadline?: { result: ProbeResult };
}

/** Probes one upstream once. Failures are results; the probe ends at once when the signal is aborted. */
export type Probe = (
  address: UpstreamAddress,
  check: ResolvedHealthCheck,
  tls: ResolvedTls,
  options: ProbeOptions,
) => Promise<ProbeResult>;

/**
 * Probes over a connection of its own, which is destroyed afterwards.
 *
 * "tcp" needs no more than a connection, TLS included when the upstream has it. "http" sends one request for `path`, put
 * behind the path of the upstream's URL like that of any request, in the protocol that the pool speaks. `scheme` and `port`
 * replace the upstream's; a unix socket has no port. Redirects are not followed, and a protocol switch is a failure. Nothing
 * more is read than the verdict takes: the head, and the body as far as `expectBody` needs, at most 64 KiB.
 */
export const probe: Probe = (upstream, check, tlsOptions, options) => {
  const address = probedAddress(upstream, check);
  const { http2 } = options.connections;
  // A scheme of its own is that of another server than the app, such as a plain management port.
  const speaksHttp2 = address.tls ? http2 !== false : http2 === "h2c" && check.scheme === undefined;
  return check.type === "http" && speaksHttp2
    ? probeOverTransport(address, check, tlsOptions, options)
    : probeOverSocket(address, check, tlsOptions, options);
};

function probedAddress(upstream: UpstreamAddress, { scheme, port }: ResolvedHealthCheck): UpstreamAddress {
  if (scheme === undefined && port === undefined) return upstream;
  return { ...upstream, tls: scheme === undefined ? upstream.tls : scheme === "https", port: port ?? upstream.port };
}

/** Over HTTP/1.1, or by a connection alone. */
const probeOverSocket: Probe = (address, check, tlsOptions, { signal, connector, deadline, connections }) =>
  new Promise((resolve) => {
    let stage: ProbeStage = "connect";
    let socket: Socket | undefined;
    const finish = (ok: boolean, reason: string, cause?: string) => {
      signal.removeEventListener("abort", onAbort);
      socket?.destroy();
      resolve(cause === undefined ? { ok, reason } : { ok, reason, cause });
    };
    /** The result stands at once for the caller that has set the time, whose promise is settled later. */
    const late = (reason: string, cause?: string) => {
      if (deadline !== undefined)
        deadline.result = cause === undefined ? { ok: false, reason } : { ok: false, reason, cause };
      finish(false, reason, cause);
    };
    const fail = (error?: unknown) => {
      const reason = toReason(error, stage, address.tls);
      finish(false, reason, causeToReport(reason, error));
    };
    const onAbort = () => {
      const { code, cause } = connectTimeoutError(stage === "connect" ? socket : undefined);
      if (code === "dns_failed") late(code, causeToReport(code, cause));
      else late("timeout");
    };
    const onReady = () => {
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
    };

    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort);
    try {
      socket = connector.open(address, tlsOptions, check.type === "http" ? { alpn: ["http/1.1"] } : {});
    } catch (error) {
      return fail(error);
    }
    // Stays attached to the end: a destroyed socket may still emit an error.
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

/** Sends the request over a connected socket and judges the answer. */
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
    const judge = () => {
      // Pieces that were received together with the last one still follow; a pattern is not to run on each.
      response.off("data", onData).off("end", judge);
      const matches = body.matches();
      finish(matches, matches ? `status ${status}` : "body_mismatch");
    };
    const onData = (piece: Buffer) => {
      if (body.add(piece)) judge();
    };
    response.on("data", onData).on("end", judge);
  });
  request.end();
}
