import net from "node:net";
import tls from "node:tls";
import type { ResolvedTls, UpstreamAddress } from "../config/resolved.ts";
import type { HostAddress } from "../dns/hosts-file.ts";
import { LookupError, LookupFailure } from "../dns/lookup-failure.ts";
import { NameResolver } from "../dns/name-resolver.ts";
import type { ResolvedName } from "../dns/resolved-name.ts";
import { inBackground } from "../runtime/async-context.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { AuthenticatedClients } from "./authenticated-clients.ts";
import { TransportError } from "./transport-error.ts";

/** Milliseconds of silence after which TCP keep-alive probes the other side. */
const keepAliveProbeMs = 60_000;

/** Shared by all plain sockets with `onBytes`: each read is consumed before the next one. */
const readBuffer = Buffer.allocUnsafeSlow(65_536);

export interface OpenOptions {
  /**
   * The protocols to offer over TLS, the preferred one first (RFC 7301); without them the extension is not sent. The choice of
   * the upstream is the socket's `alpnProtocol`.
   */
  readonly alpn?: readonly string[];
  /**
   * Receives the bytes in place of the stream; they are valid during the call only. `pause` and `resume` of the socket still
   * apply.
   */
  readonly onBytes?: (bytes: Buffer) => void;
}

/** The lookups of sockets whose upstream has a name. */
const lookups = new WeakMap<net.Socket, SocketLookup>();

/**
 * Opens every socket to an upstream: for requests, probes and tunnels, over plain TCP, unix sockets and TLS.
 *
 * TLS sends (SNI) and verifies `tls.servername`, or else the host of the upstream's URL, and never a name from a client.
 * Names are resolved outside the request path. Where there are several addresses, Node tries them one after the other, 250 ms
 * apart and alternating between the families (RFC 8305), until one connects.
 */
export class Connector {
  readonly authenticated: AuthenticatedClients = new AuthenticatedClients();
  readonly #resolver: NameResolver;

  constructor(runtime?: Partial<Runtime>, resolver: NameResolver = new NameResolver(runtime)) {
    this.#resolver = resolver;
  }

  /** The name of an upstream whose URL has one; undefined for addresses and unix sockets, which are never looked up. */
  nameOf({ hostname, socketPath }: UpstreamAddress): ResolvedName | undefined {
    return socketPath !== undefined || net.isIP(hostname) !== 0 ? undefined : this.#resolver.name(hostname);
  }

  /** Starts new lookups of the upstreams' names now. */
  refresh(): void {
    this.#resolver.refresh();
  }

  /** Stops the lookups in the background. Open sockets are not affected. */
  stop(): void {
    this.#resolver.stop();
  }

  /**
   * Emits `connect`, or `secureConnect` over TLS, or `error`. Throws for unusable options, such as a client certificate that is
   * not PEM.
   */
  open(address: UpstreamAddress, options: ResolvedTls, how: OpenOptions = {}): net.Socket {
    // A socket outlives the request that it was opened for.
    return inBackground(() => {
      const name = this.nameOf(address);
      const lookup = name === undefined ? undefined : new SocketLookup(name);
      const socket = connect(address, options, toEndpoint(address, lookup), how);
      if (lookup !== undefined) reportConnection(socket, address, lookup);
      return socket;
    });
  }
}

/** The part of a connector that transports use. */
export type SocketOpener = Pick<Connector, "open" | "nameOf" | "authenticated">;

/**
 * Returns why a socket was not usable in time: its name has not been resolved, which is no failure of the upstream, or the
 * upstream has not accepted the connection.
 */
export function connectTimeoutError(socket: net.Socket | undefined): TransportError {
  const lookup = socket && lookups.get(socket);
  if (lookup?.pending !== true) return new TransportError("connect_timeout", "no connection in time");
  const failure = new LookupFailure("no answer in time", "timeout");
  return new TransportError("dns_failed", "no lookup in time", {
    cause: new LookupError(lookup.name.hostname, failure),
  });
}

/** The lookup of one socket, in the form that node:net takes. */
class SocketLookup {
  readonly name: ResolvedName;
  /** The lookup has begun and has not ended. */
  pending = false;
  /** The lookup has ended without an address. */
  failed = false;
  /** Removes the callback of a pending lookup. */
  cancel: () => void = () => {};

  constructor(name: ResolvedName) {
    this.name = name;
  }

  readonly lookup: net.LookupFunction = (_hostname, _options, callback) => {
    const toList = callback as (error: Error | null, addresses: readonly HostAddress[]) => void;
    if (this.name.known) return toList(null, this.name.inOrder());
    this.pending = true;
    this.cancel = this.name.whenKnown((error, addresses) => {
      this.pending = false;
      this.failed = error !== null;
      toList(error, addresses);
    });
  };
}

function toEndpoint(
  { hostname, port, socketPath }: UpstreamAddress,
  lookup: SocketLookup | undefined,
): net.NetConnectOpts {
  if (socketPath !== undefined) return { path: socketPath };
  if (lookup === undefined) return { host: hostname, port };
  lookup.name.use();
  const { only } = lookup.name;
  if (only !== undefined) return { host: only, port };
  return { host: hostname, port, autoSelectFamily: true, lookup: lookup.lookup };
}

/** Reports to a name which address family connects, or that none of its addresses does. */
function reportConnection(socket: net.Socket, address: UpstreamAddress, lookup: SocketLookup): void {
  let ready = false;
  lookups.set(socket, lookup);
  socket.once(readyEvent(address), () => {
    ready = true;
    lookup.name.connected(socket.remoteFamily);
  });
  socket.once("close", () => {
    const { pending } = lookup;
    lookup.cancel();
    if (!ready && !lookup.failed && !pending) lookup.name.failed();
  });
}

function connect(
  address: UpstreamAddress,
  options: ResolvedTls,
  endpoint: net.NetConnectOpts,
  { alpn, onBytes }: OpenOptions,
): net.Socket {
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
    ...(alpn !== undefined && { ALPNProtocols: [...alpn] }),
  });
  socket.setNoDelay(true);
  socket.setKeepAlive(true, keepAliveProbeMs);
  if (onBytes !== undefined) socket.on("data", onBytes);
  return socket;
}

/** The event of a socket to this upstream that reports that it is usable. */
export function readyEvent(address: UpstreamAddress): "connect" | "secureConnect" {
  return address.tls ? "secureConnect" : "connect";
}

/** Bypasses the stream, so that a read allocates no buffer. */
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
    // An address is not a server name (RFC 6066 section 3), but the certificate is verified against it.
    servername: net.isIP(name) === 0 ? name : "",
    checkServerIdentity: (_host, certificate) => tls.checkServerIdentity(name, certificate),
    ...(options.ca !== undefined && { ca: options.ca }),
    ...(options.cert !== undefined && { cert: options.cert }),
    ...(options.key !== undefined && { key: options.key }),
  };
}
