import type { ListenerSnapshot } from "@evenkeel/admin";
import type { FileConfig } from "@evenkeel/config";
import type { Logger } from "pino";
import { configWarnings } from "../config-warnings.ts";
import { limits } from "../limits.ts";
import { Tally } from "../tally.ts";
import { validityOf } from "./certificate-validity.ts";
import type { TlsFiles } from "./tls-files.ts";

/** Counts what happens at the listeners, and logs what an operator should know of their configuration, daily. */
export class ListenerStatus {
  readonly #logger: Logger;
  readonly #plainRequests: Tally;
  readonly #failures = { plainHttp: 0, other: 0 };
  #certificateExpiry: number | null = null;
  #daily: NodeJS.Timeout | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#plainRequests = new Tally((requests) => {
      logger.warn({ requests }, "requests without TLS came to a TLS port, they were answered with 400");
    });
  }

  /** Takes note of the configuration in force, logs its warnings now, and again every day. */
  configured(config: FileConfig, tls: TlsFiles | undefined): void {
    this.#certificateExpiry = (tls && validityOf(tls.cert)?.until) ?? null;
    const warn = () => {
      for (const warning of configWarnings(config, tls, Date.now())) this.#logger.warn(warning);
    };
    clearInterval(this.#daily);
    this.#daily = setInterval(warn, limits.certificateCheckMs).unref();
    warn();
  }

  readonly handshakeFailed = (plainHttp: boolean): void => {
    this.#failures[plainHttp ? "plainHttp" : "other"]++;
    if (plainHttp) this.#plainRequests.add();
  };

  readonly snapshot = (): ListenerSnapshot => ({
    handshakeFailures: { ...this.#failures },
    certificateExpiry: this.#certificateExpiry,
  });

  close(): void {
    clearInterval(this.#daily);
    this.#plainRequests.close();
  }
}
