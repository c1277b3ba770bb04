import type { Server } from "evenkeel/server";
import type { Logger } from "pino";
import { ThrottledWarning } from "../throttled-warning.ts";

/** Logs what happens to the client connections of a server. */
export class ConnectionWarnings {
  readonly #warnings: readonly ThrottledWarning[];

  constructor(server: Server, logger: Logger) {
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
    server
      .on("refused", () => refused.add())
      .on("dropped", () => dropped.add())
      .on("idleClosed", () => idleClosed.add())
      .on("proxyHeaderFailed", () => proxyHeaders.add())
      .on("acceptFailed", () => failedAccepts.add())
      .on("handshakeFailed", (reason) => {
        if (reason === "plain_http") plainRequests.add();
      });
  }

  close(): void {
    for (const warning of this.#warnings) warning.close();
  }
}
