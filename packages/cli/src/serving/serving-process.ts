import { createProxy, type ProxySurroundings, type ReloadChanges, type Proxy as ReverseProxy } from "evenkeel";
import { createServer, type Server } from "evenkeel/server";
import type { Logger } from "pino";
import { AccessLog } from "../log/access-log.ts";
import type { Tracing } from "../tracing/start-tracing.ts";
import { ConnectionWarnings } from "./connection-warnings.ts";
import { drain } from "./drain.ts";
import type { LoadedConfig } from "./loaded-config.ts";
import type { DrainOptions } from "./serving.ts";
import { toProxyOptions, toServerOptions } from "./to-options.ts";

/** The part of a process that serves clients: the proxy, its server and the access log. */
export class ServingProcess {
  readonly proxy: ReverseProxy;
  readonly server: Server;
  readonly #logger: Logger;
  readonly #warnings: ConnectionWarnings;
  #loaded: LoadedConfig;
  #accessLog: AccessLog | undefined;
  #tracing: Tracing | undefined;

  constructor(loaded: LoadedConfig, logger: Logger, surroundings: ProxySurroundings = {}) {
    this.#loaded = loaded;
    this.#logger = logger;
    this.proxy = createProxy(toProxyOptions(loaded.config), surroundings);
    this.server = createServer(this.proxy, toServerOptions(loaded));
    this.#warnings = new ConnectionWarnings(this.server, logger);
  }

  /** Throws a `Failure` for a file that cannot be opened. */
  openLog(): void {
    this.#accessLog = AccessLog.open(this.#loaded.config.accessLog, this.#logger);
    this.proxy.on("request", this.#accessLog.write);
    // What happens to pools is logged once for all workers.
    this.proxy.logs.add(this.#logger, { pools: false });
  }

  /** Throws a `Failure` for tracing that cannot start. Without `[tracing]` nothing is loaded. */
  async startTracing(): Promise<void> {
    const { tracing } = this.#loaded.config;
    if (tracing === undefined) return;
    const { startTracing } = await import("../tracing/start-tracing.ts");
    this.#tracing = await startTracing(tracing, this.#logger);
  }

  /** Throws for a configuration that cannot be used. Nothing has changed then. */
  configure({ config, tls }: LoadedConfig): ReloadChanges {
    const changes = this.proxy.reload(toProxyOptions(config));
    // Whether there is TLS changes with a restart only.
    const before = this.#loaded.tls;
    this.#loaded = { config, tls: before && (tls ?? before) };
    this.server.configure(toServerOptions(this.#loaded));
    void this.#accessLog?.reopen(config.accessLog);
    return changes;
  }

  reopenLog(): void {
    void this.#accessLog?.reopen(this.#loaded.config.accessLog);
  }

  /** `report` is called at the start, now and then, and when the time is over. */
  drain(options: DrainOptions & { readonly report: (what: string) => void }): Promise<void> {
    return drain({ proxy: this.proxy, server: this.server, ...options });
  }

  async close(): Promise<void> {
    this.#warnings.close();
    await this.#tracing?.stop();
    await this.#accessLog?.close();
  }

  async destroy(): Promise<void> {
    this.server.destroy();
    await this.proxy.close({ timeout: "0ms" });
    await this.close();
  }
}
