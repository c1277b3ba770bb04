import type { ListenerSnapshot } from "@evenkeel/admin";
import type { FileConfig } from "@evenkeel/config";
import type { Server } from "evenkeel/server";
import type { Logger } from "pino";
import { configWarnings } from "../config-warnings.ts";
import { limits } from "../limits.ts";
import { ThrottledWarning } from "../throttled-warning.ts";
import { validityOf } from "./certificate-validity.ts";
import type { TlsFiles } from "./tls-files.ts";

/** Logs what happens to connections, and the warnings about the configuration, daily. */
export class ListenerStatus {
  readonly #server: Server;
  readonly #logger: Logger;
  readonly #warnings: readonly ThrottledWarning[];
  readonly acceptFailed: () => void;
  #certificateExpiry: number | null = null;
  #daily: NodeJS.Timeout | undefined;

  constructor(server: Server, logger: Logger) {
    this.#server = server;
    this.#logger = logger;
    const limit = () => server.status().connections.limit;
    const refused = new ThrottledWarning((connections) => {
      const text = "client connections were refused: the limit is reached, and all open ones have a request in flight";
      logger.warn({ connections, limit: limit() }, text);
    });
    const dropped = new ThrottledWarning((connections) => {
      const maxConnections = limit();
      const text = "client connections were closed without a response: the limit is reached";
      logger.warn({ connections, maxConnections }, text);
    });
    const idleClosed = new ThrottledWarning(() => {
      const { idleClosed: connections, limit } = server.status().connections;
      logger.warn({ connections, limit }, "idle connections were closed to make room for new ones");
    });
    const plainRequests = new ThrottledWarning((requests) => {
      logger.warn({ requests }, "plain HTTP requests to a TLS port got a 400 response");
    });
    const proxyHeaders = new ThrottledWarning((connections) => {
      const text =
        "connections of peers in server.proxyProtocol were closed: their PROXY header is missing or malformed";
      logger.warn({ connections }, text);
    });
    const failedAccepts = new ThrottledWarning((times) => logger.error({ times }, "connections could not be accepted"));
    this.#warnings = [refused, dropped, idleClosed, plainRequests, proxyHeaders, failedAccepts];
    this.acceptFailed = () => failedAccepts.add();
    server
      .on("refused", () => refused.add())
      .on("dropped", () => dropped.add())
      .on("idleClosed", () => idleClosed.add())
      .on("proxyHeaderFailed", () => proxyHeaders.add())
      .on("acceptFailed", this.acceptFailed)
      .on("handshakeFailed", (reason) => {
        if (reason === "plain_http") plainRequests.add();
      });
  }

  /** Logs the warnings about the configuration in force, now and once a day. */
  configured(config: FileConfig, tls: TlsFiles | undefined): void {
    this.#certificateExpiry = firstExpiry(tls);
    this.#warnAboutDescriptors(config.server.maxConnections);
    const warn = () => {
      for (const warning of configWarnings(config, tls, Date.now())) this.#logger.warn(warning);
    };
    clearInterval(this.#daily);
    this.#daily = setInterval(warn, limits.certificateCheckMs).unref();
    warn();
  }

  #warnAboutDescriptors(maxConnections: number): void {
    const {
      descriptors,
      connections: { limit },
    } = this.#server.status();
    // The default of `maxConnections` is a little above the limit of some systems, which is not worth a log line.
    if (limit >= maxConnections * limits.connectionShare) return;
    const level = limit < maxConnections / 2 ? "warn" : "info";
    this.#logger[level](
      { maxConnections, descriptors, limit },
      `the process may open ${descriptors} files, enough for ${limit} client connections and as many to upstreams, not for ` +
        `maxConnections = ${maxConnections}: raise the limit ("ulimit -n", LimitNOFILE in systemd), or lower maxConnections`,
    );
  }

  readonly snapshot = (): ListenerSnapshot => {
    const { connections, handshakeFailures, proxyHeaderFailures } = this.#server.status();
    const { open, limit, refused, idleClosed } = connections;
    return {
      connections: { open, limit, refused, idleClosed },
      handshakeFailures,
      proxyHeaderFailures,
      certificateExpiry: this.#certificateExpiry,
    };
  };

  close(): void {
    clearInterval(this.#daily);
    for (const warning of this.#warnings) warning.close();
  }
}

/** The first expiry of all certificates. */
function firstExpiry(tls: TlsFiles | undefined): number | null {
  if (tls === undefined) return null;
  const expiries = [tls, ...tls.certificates].map(({ cert }) => validityOf(cert)?.until ?? Infinity);
  const first = Math.min(...expiries);
  return Number.isFinite(first) ? first : null;
}
