import net from "node:net";
import tls from "node:tls";
import type { ResolvedTls, UpstreamAddress } from "../config/resolved.ts";
import { inBackground } from "../runtime/async-context.ts";

/** Milliseconds of silence after which TCP probes whether the other side is still there. */
const keepAliveProbeMs = 60_000;

/** Every plain socket with `onBytes` reads into it: each read is consumed before the next one. */
const readBuffer = Buffer.allocUnsafeSlow(65_536);

export interface OpenOptions {
  /**
   * The protocols to offer over TLS, the preferred one first (RFC 7301); without them the extension is not sent. The
   * socket's `alpnProtocol` has the choice.
   */
  readonly alpn?: readonly string[];
  /**
   * Receives what arrives, in place of the stream; the bytes are valid during the call only. `pause` and `resume` of the
   * socket still apply.
   */
  readonly onBytes?: (bytes: Buffer) => void;
}

/**
 * Opens every socket to an upstream: for requests, probes and tunnels, over plain TCP, unix sockets and TLS.
 *
 * The name that TLS asks for (SNI) and verifies is `tls.servername`, or else the host of the upstream's URL. Nothing
 * that a client sends has a part in it.
 */
export class Connector {
  /**
   * `connect` follows, or `secureConnect` over TLS, or `error`. Throws for options that no socket can be made with, such
   * as a client certificate that is not PEM.
   */
  open(address: UpstreamAddress, options: ResolvedTls, how: OpenOptions = {}): net.Socket {
    // A socket outlives the request that it was opened for.
    return inBackground(() => this.#open(address, options, how));
  }

  #open(address: UpstreamAddress, options: ResolvedTls, { alpn, onBytes }: OpenOptions): net.Socket {
    const endpoint =
      address.socketPath === undefined
        ? { host: address.hostname, port: address.port, autoSelectFamily: true }
        : { path: address.socketPath };
    if (!address.tls) {
      return net.connect({
        ...endpoint,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: keepAliveProbeMs,
        ...(onBytes !== undefined && { onread: readInto(onBytes) }),
      });
    }
    const socket = tls.connect({
      ...endpoint,
      ...secureOptions(address, options),
      ...(alpn && { ALPNProtocols: [...alpn] }),
    });
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveProbeMs);
    if (onBytes !== undefined) socket.on("data", onBytes);
    return socket;
  }
}

/** The event that reports that a socket to the upstream is usable. */
export function readyEvent(address: UpstreamAddress): "connect" | "secureConnect" {
  return address.tls ? "secureConnect" : "connect";
}

/** Reads past the stream, without a new buffer for each read. */
function readInto(onBytes: (bytes: Buffer) => void): net.OnReadOpts {
  return {
    buffer: readBuffer,
    callback: (length) => {
      onBytes(readBuffer.subarray(0, length));
      return true;
    },
  };
}

function secureOptions(address: UpstreamAddress, options: ResolvedTls): tls.ConnectionOptions {
  const name = options.servername ?? address.hostname;
  return {
    rejectUnauthorized: options.verify,
    // RFC 6066 section 3: an address is not a server name. The certificate is verified against it all the same.
    servername: net.isIP(name) === 0 ? name : "",
    checkServerIdentity: (_host, certificate) => tls.checkServerIdentity(name, certificate),
    ...(options.ca !== undefined && { ca: options.ca }),
    ...(options.cert !== undefined && { cert: options.cert }),
    ...(options.key !== undefined && { key: options.key }),
  };
}
