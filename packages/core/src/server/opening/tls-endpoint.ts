import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { isDeepStrictEqual } from "node:util";
import { type Certificate, CertificateSet } from "./certificates.ts";

export interface TlsSettings {
  /** The default one first. */
  readonly certificates: readonly Certificate[];
  readonly http2: boolean;
  readonly handshakeTimeoutMs: number;
}

export interface TlsEndpointEvents {
  /** The handshake is finished. */
  readonly connected: (socket: TLSSocket) => void;
  /** The handshake has failed, and its socket is destroyed. */
  readonly failed: () => void;
}

/**
 * TLS for sockets that a listener has accepted: the handshake, the certificate by server name, and the protocol (ALPN).
 *
 * Node's TLS server does the handshakes but does not listen: each change of the settings replaces it by another one, and
 * handshakes that have begun finish with the one before.
 */
export class TlsEndpoint {
  readonly #events: TlsEndpointEvents;
  /** Never changed, so that clients continue their sessions. */
  readonly #ticketKeys: Buffer;
  #settings: TlsSettings;
  #server: Server;

  constructor(settings: TlsSettings, ticketKeys: Buffer, events: TlsEndpointEvents) {
    this.#events = events;
    this.#ticketKeys = ticketKeys;
    this.#settings = settings;
    this.#server = this.#createServer();
  }

  /** Applies to new connections. */
  configure(settings: TlsSettings): void {
    if (isDeepStrictEqual(settings, this.#settings)) return;
    this.#settings = settings;
    this.#server = this.#createServer();
  }

  /** Begins the handshake. The bytes that were read from the socket are put back before. */
  accept(socket: Socket): void {
    this.#server.emit("connection", socket);
  }

  #createServer(): Server {
    const { certificates, http2, handshakeTimeoutMs } = this.#settings;
    const set = new CertificateSet(certificates);
    const [{ cert, key } = {}] = certificates;
    return createServer({
      cert,
      key,
      handshakeTimeout: handshakeTimeoutMs,
      ALPNProtocols: http2 ? ["h2", "http/1.1"] : ["http/1.1"],
      SNICallback: (name, done) => done(null, set.contextFor(name)),
      ticketKeys: this.#ticketKeys,
      // By default it differs between processes with other arguments, which may have the same keys.
      sessionIdContext: "evenkeel",
    })
      .on("secureConnection", this.#events.connected)
      .on("tlsClientError", (_error, socket) => {
        // Node leaves it open.
        socket.destroy();
        this.#events.failed();
      });
  }
}
