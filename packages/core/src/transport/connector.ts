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

/** The lookups of sockets whose upstream has a name. */
const lookups = new WeakMap<net.Socket, SocketLookup>();

/**
 * Opens every socket to an upstream: for requests, probes and tunnels, over plain TCP, unix sockets and TLS.
 *
 * The name that TLS asks for (SNI) and verifies is `tls.servername`, or else the host of the upstream's URL. Nothing
 * that a client sends has a part in it. Names are resolved outside the request path; where there are several addresses,
 * Node tries them one after the other, 250 ms apart and by turns of the families (RFC 8305), until one connects.
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

  /** Looks the names of upstreams up again now. */
  refresh(): void {
    this.#resolver.refresh();
  }

  /** Ends the lookups in the background. Sockets that are open stay so. */
  stop(): void {
    this.#resolver.stop();
  }

  /**
   * `connect` follows, or `secureConnect` over TLS, or `error`. Throws for options that no socket can be made with, such
   * as a client certificate that is not PEM.
   */
  open(address: UpstreamAddress, options: ResolvedTls, how: OpenOptions = {}): net.Socket {
    // A socket outlives the request that it was opened for.
    return inBackground(() => {
      const name = this.nameOf(address);
      const lookup = name === undefined ? undefined : new SocketLookup(name);
      const socket = connect(address, options, toEndpoint(address, lookup), how);
      if (lookup !== undefined) follow(socket, address, lookup);
      return socket;
    });
  }
}

/** What transports need of a connector. */
export type SocketOpener = Pick<Connector, "open" | "nameOf" | "authenticated">;

/**
 * Why a socket that was not usable in time was not: its name has not been resolved, which is no fault of the upstream, or
 * the upstream did not answer.
 */
export function connectTimeoutError(socket: net.Socket | undefined): TransportError {
  const lookup = socket && lookups.get(socket);
  if (lookup?.pending !== true) return new TransportError("connect_timeout", "no connection in time");
  const failure = new LookupFailure("no answer in time", "timeout");
  return new TransportError("dns_failed", "no lookup in time", {
    cause: new LookupError(lookup.name.hostname, failure),
  });
}

/** The lookup of one socket, as node:net wants it. */
class SocketLookup {
  readonly name: ResolvedName;
  /** It has been asked for, and has not ended. */
  pending = false;
  /** It has ended without an address. */
  failed = false;
  /** Takes it back. */
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

/** Learns from what becomes of a socket: which family connects, and that no address of the name does. */
function follow(socket: net.Socket, address: UpstreamAddress, lookup: SocketLookup): void {
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
