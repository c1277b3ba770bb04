import type { ServerStatus } from "evenkeel/server";
import type { Logger } from "pino";
import { configWarnings } from "../config-warnings.ts";
import { limits } from "../limits.ts";
import type { LoadedConfig } from "../serving/loaded-config.ts";
import type { TlsFiles } from "../serving/tls-files.ts";
import { validityOf } from "./certificate-validity.ts";

/** Logs the warnings about the configuration in force, at its start and once a day. */
export class ConfigurationWarnings {
  readonly #logger: Logger;
  #certificateExpiry: number | null = null;
  #daily: NodeJS.Timeout | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** The first expiry of all certificates, in milliseconds since 1970. Null without TLS. */
  get certificateExpiry(): number | null {
    return this.#certificateExpiry;
  }

  /** `status` is that of the listeners that use the configuration. */
  configured({ config, tls }: LoadedConfig, status: ServerStatus): void {
    this.#certificateExpiry = firstExpiry(tls);
    this.#warnAboutDescriptors(config.server.maxConnections, status);
    const warn = () => {
      for (const warning of configWarnings(config, tls, Date.now())) this.#logger.warn(warning);
    };
    clearInterval(this.#daily);
    this.#daily = setInterval(warn, limits.certificateCheckMs).unref();
    warn();
  }

  close(): void {
    clearInterval(this.#daily);
  }

  #warnAboutDescriptors(maxConnections: number, { descriptors, connections: { limit } }: ServerStatus): void {
    // The default of `maxConnections` is a little above the limit of some systems, which is not worth a log line.
    if (limit >= maxConnections * limits.connectionShare) return;
    const level = limit < maxConnections / 2 ? "warn" : "info";
    this.#logger[level](
      { maxConnections, descriptors, limit },
      `the process may open ${descriptors} files, enough for ${limit} client connections and as many to upstreams, not for ` +
        `maxConnections = ${maxConnections}: raise the limit ("ulimit -n", LimitNOFILE in systemd), or lower maxConnections`,
    );
  }
}

function firstExpiry(tls: TlsFiles | undefined): number | null {
  if (tls === undefined) return null;
  const expiries = [tls, ...tls.certificates].map(({ cert }) => validityOf(cert)?.until ?? Infinity);
  const first = Math.min(...expiries);
  return Number.isFinite(first) ? first : null;
}
