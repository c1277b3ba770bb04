import * as http from "node:http";
import * as net from "node:net";
import * as tls from "node:tls";
import { limits } from "../config/defaults.ts";
import type { ResolvedHealthCheck, ResolvedTls, UpstreamAddress } from "../config/resolved.ts";
import { BodyMatch } from "./body-match.ts";
import { type ProbeStage, toReason } from "./probe-error.ts";

export interface ProbeResult {
  readonly ok: boolean;
  /**
   * What was seen: `status 200`, `connected`, `timeout`, `body_mismatch`, or an error code. `no_file_descriptors` is
   * no verdict, since it is this process that has run out.
   */
  readonly reason: string;
}

/** Asks one upstream once whether it is well. Fails by its result, and ends at once when the signal comes. */
export type Probe = (
  address: UpstreamAddress,
  check: ResolvedHealthCheck,
  tls: ResolvedTls,
  options: { readonly signal: AbortSignal },
) => Promise<ProbeResult>;

/**
 * Probes over a connection of its own, which is destroyed afterwards.
 *
 * "tcp" is content with a connection, TLS included when the upstream has it. "http" sends one request for `path`, put
 * behind the path of the upstream's URL like that of any request. `port` replaces the upstream's unless it listens on
 * a unix socket. Redirects are not followed, and a protocol switch is a failure. Nothing more is read than the
 * answer takes: the head, and the body as far as `expectBody` needs, at most 64 KiB.
 */
export const probe: Probe = (address, check, tlsOptions, { signal }) =>
  new Promise((resolve) => {
    let stage: ProbeStage = "connect";
    let socket: net.Socket | undefined;
    const finish = (ok: boolean, reason: string) => {
      signal.removeEventListener("abort", onAbort);
      socket?.destroy();
      resolve({ ok, reason });
    };
    const fail = (error?: unknown) => finish(false, toReason(error, stage));
    const onAbort = () => finish(false, "timeout");
    const onReady = () => {
      if (check.type === "tcp") return finish(true, "connected");
      stage = "head";
      const onHead = () => {
        stage = "body";
      };
      try {
        exchange(socket as net.Socket, address, check, { finish, fail, onHead });
      } catch (error) {
        fail(error);
      }
    };

    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort);
    try {
      socket = connect(address, check, tlsOptions);
    } catch (error) {
      return fail(error);
    }
    // Stays attached to the end: a destroyed socket may still have an error to tell.
    socket.on("error", fail);
    socket.unref();
    socket.once("connect", () => {
      stage = "tls";
    });
    socket.once(address.tls ? "secureConnect" : "connect", onReady);
  });

function connect(address: UpstreamAddress, check: ResolvedHealthCheck, options: ResolvedTls): net.Socket {
  const { hostname, socketPath } = address;
  const endpoint =
    socketPath === undefined ? { host: hostname, port: check.port ?? address.port } : { path: socketPath };
  if (!address.tls) return net.connect(endpoint);

  const name = options.servername ?? hostname;
  return tls.connect({
    ...endpoint,
    ca: options.ca,
    cert: options.cert,
    key: options.key,
    rejectUnauthorized: options.verify,
    // RFC 6066 section 3: an address is not a server name. It is verified all the same.
    servername: net.isIP(name) === 0 ? name : "",
    checkServerIdentity: (_host, certificate) => tls.checkServerIdentity(name, certificate),
    ...(check.type === "http" && { ALPNProtocols: ["http/1.1"] }),
  });
}

interface ExchangeEvents {
  finish(ok: boolean, reason: string): void;
  fail(error?: unknown): void;
  onHead(): void;
}

/** Sends the request over a connected socket and judges the answer. */
function exchange(
  socket: net.Socket,
  address: UpstreamAddress,
  check: ResolvedHealthCheck,
  { finish, fail, onHead }: ExchangeEvents,
): void {
  const request = http.request({
    createConnection: () => socket,
    method: check.method,
    path: address.basePath + check.path,
    headers: { Host: address.host, "User-Agent": "evenkeel-health", Accept: "*/*", ...check.headers },
    maxHeaderSize: limits.responseHeadBytes,
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
