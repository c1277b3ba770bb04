import net from "node:net";
import tls from "node:tls";
import type { ResolvedTls, UpstreamAddress } from "../config/resolved.ts";

/** Every plain socket reads into it: what has been read is dealt with before anything else is. */
const readBuffer = Buffer.allocUnsafeSlow(65_536);

/**
 * Opens a socket to an upstream; `connect` or `secureConnect` follows, or an error. What is handed to `onBytes` is only
 * valid during the call.
 */
export function openSocket(
  address: UpstreamAddress,
  options: ResolvedTls,
  onBytes: (bytes: Buffer) => void,
): net.Socket {
  const where =
    address.socketPath === undefined
      ? { host: address.hostname, port: address.port, autoSelectFamily: true }
      : { path: address.socketPath };
  if (!address.tls) {
    return net.connect({
      ...where,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
      // Past the stream, and without a new buffer for each read.
      onread: {
        buffer: readBuffer,
        callback: (length) => {
          onBytes(readBuffer.subarray(0, length));
          return true;
        },
      },
    });
  }
  const name = options.servername ?? address.hostname;
  const socket = tls.connect({
    ...where,
    ALPNProtocols: ["http/1.1"],
    rejectUnauthorized: options.verify,
    // RFC 6066 section 3: an address is not a server name. It is verified all the same.
    servername: net.isIP(name) === 0 ? name : "",
    checkServerIdentity: (_host, certificate) => tls.checkServerIdentity(name, certificate),
    ...(options.ca !== undefined && { ca: options.ca }),
    ...(options.cert !== undefined && { cert: options.cert }),
    ...(options.key !== undefined && { key: options.key }),
  });
  socket.setNoDelay(true);
  socket.on("data", onBytes);
  return socket;
}

/** The event that says a socket of that kind is usable. */
export function readyEvent(address: UpstreamAddress): "connect" | "secureConnect" {
  return address.tls ? "secureConnect" : "connect";
}
