import type { ListenerSnapshot } from "@evenkeel/admin";
import type { FileConfig } from "@evenkeel/config";
import type { Logger } from "pino";
import { configWarnings } from "../config-warnings.ts";
import { limits } from "../limits.ts";
import { ThrottledWarning } from "../throttled-warning.ts";
import { validityOf } from "./certificate-validity.ts";
import { type ConnectionBudget, connectionBudget, descriptorLimit } from "./connection-budget.ts";
import { ConnectionTable } from "./connection-table.ts";
import type { TlsFiles } from "./tls-files.ts";

/** Counts the events of the listeners, and logs warnings about their configuration, daily. */
export class ListenerStatus {
  readonly #logger: Logger;
  readonly #plainRequests: ThrottledWarning;
  readonly #refusals: ThrottledWarning;
  readonly #idleClosings: ThrottledWarning;
  readonly #descriptors = descriptorLimit();
  readonly #counts = { refused: 0, idleClosed: 0 };
  /** The client connections of all listeners. */
  readonly table: ConnectionTable;
  #budget: ConnectionBudget;
  readonly #failures = { plainHttp: 0, other: 0 };
  #certificateExpiry: number | null = null;
  #daily: NodeJS.Timeout | undefined;

  constructor(maxConnections: number, logger: Logger) {
    this.#logger = logger;
    this.#budget = connectionBudget(maxConnections, this.#descriptors);
    this.#refusals = new ThrottledWarning((connections) => {
      const { served: limit } = this.#budget;
      logger.warn(
        { connections, limit },
        "client connections were refused: the limit is reached, and all open ones have a request in flight",
      );
    });
    this.#idleClosings = new ThrottledWarning(() => {
      const { served: limit } = this.#budget;
      logger.warn(
        { connections: this.#counts.idleClosed, limit },
        "idle connections were closed to make room for new ones",
      );
    });
    this.table = new ConnectionTable(this.#budget, {
      refused: () => {
        this.#counts.refused++;
        this.#refusals.add();
      },
      closedIdle: (count) => {
        this.#counts.idleClosed += count;
        this.#idleClosings.add();
      },
    });
    this.#plainRequests = new ThrottledWarning((requests) => {
      logger.warn({ requests }, "plain HTTP requests to a TLS port got a 400 response");
    });
  }

  /** Applies the configuration in force, and logs its warnings now and once a day. */
  configured(config: FileConfig, tls: TlsFiles | undefined): void {
    this.#certificateExpiry = (tls && validityOf(tls.cert)?.until) ?? null;
    this.#budget = connectionBudget(config.server.maxConnections, this.#descriptors);
    this.table.budget = this.#budget;
    this.#warnAboutDescriptors(config.server.maxConnections);
    const warn = () => {
      for (const warning of configWarnings(config, tls, Date.now())) this.#logger.warn(warning);
    };
    clearInterval(this.#daily);
    this.#daily = setInterval(warn, limits.certificateCheckMs).unref();
    warn();
  }

  #warnAboutDescriptors(maxConnections: number): void {
    const descriptors = this.#descriptors;
    const { served: limit } = this.#budget;
    // The default of `maxConnections` is a little above the limit of some systems, which is not worth a log line.
    if (limit >= maxConnections * limits.connectionShare) return;
    const level = limit < maxConnections / 2 ? "warn" : "info";
    this.#logger[level](
      { maxConnections, descriptors, limit },
      `the process may open ${descriptors} files, enough for ${limit} client connections and as many to upstreams, not for ` +
        `maxConnections = ${maxConnections}: raise the limit ("ulimit -n", LimitNOFILE in systemd), or lower maxConnections`,
    );
  }

  readonly handshakeFailed = (plainHttp: boolean): void => {
    this.#failures[plainHttp ? "plainHttp" : "other"]++;
    if (plainHttp) this.#plainRequests.add();
  };

  readonly snapshot = (): ListenerSnapshot => ({
    connections: { open: this.table.size, limit: this.#budget.served, ...this.#counts },
    handshakeFailures: { ...this.#failures },
    certificateExpiry: this.#certificateExpiry,
  });

  close(): void {
    clearInterval(this.#daily);
    this.#plainRequests.close();
    this.#refusals.close();
    this.#idleClosings.close();
  }
}
