import type { ListenerSnapshot } from "@evenkeel/admin";
import type { FileConfig } from "@evenkeel/config";
import type { ReloadChanges, Proxy as ReverseProxy } from "evenkeel";
import type { Logger } from "pino";
import { limits } from "../limits.ts";
import { logProxyEvents } from "../log/proxy-events.ts";
import { type LoadedConfig, loadAll } from "../serving/loaded-config.ts";
import { LocalServing } from "../serving/local-serving.ts";
import type { Serving } from "../serving/serving.ts";
import { AdminApi } from "./admin-api.ts";
import { ConfigurationWarnings } from "./configuration-warnings.ts";
import { OneAtATime } from "./one-at-a-time.ts";

/** A standalone proxy: what serves clients, with the admin API, reloads and the stop. */
export class StandaloneServer {
  readonly #load: () => FileConfig;
  readonly #logger: Logger;
  readonly #serving: Serving;
  readonly #warnings: ConfigurationWarnings;
  readonly #reloads = new OneAtATime(() => this.#reload());
  readonly #force = new AbortController();
  /** The configuration with which the sockets were opened. */
  readonly #opened: FileConfig;
  #loaded: LoadedConfig;
  #admin: AdminApi | undefined;
  #stopped: Promise<void> | undefined;

  /**
   * Serves the configuration that `load` returns, and calls `load` again at each reload. Throws what `load` throws, or a
   * `Failure` for a port, a certificate or a log file that cannot be used. Nothing stays open then.
   */
  static async start(load: () => FileConfig, logger: Logger): Promise<StandaloneServer> {
    const server = new StandaloneServer(load, loadAll(load), logger);
    try {
      await server.#open();
    } catch (error) {
      await server.#abandon();
      throw error;
    }
    return server;
  }

  private constructor(load: () => FileConfig, loaded: LoadedConfig, logger: Logger) {
    this.#load = load;
    this.#opened = loaded.config;
    this.#loaded = loaded;
    this.#logger = logger;
    this.#serving = new LocalServing(loaded, logger);
    this.#warnings = new ConfigurationWarnings(logger);
  }

  get proxy(): ReverseProxy {
    return this.#serving.proxy;
  }

  /** The URLs of the listeners, with the ports that the system chose; "unix:" and a path for a Unix socket. */
  get listen(): readonly string[] {
    return this.#serving.urls;
  }

  /** The URL of the admin API. */
  get admin(): string | undefined {
    return this.#admin?.url;
  }

  /**
   * Reloads the configuration. If it rejects, nothing has changed, and the log has the reason. A call while another reload is
   * in progress waits for it, and several that wait share one reload.
   */
  reload(): Promise<ReloadChanges> {
    return this.#reloads.run();
  }

  /** Reopens the access log by its path, after log rotation has renamed the file. */
  reopenLog(): void {
    this.#serving.reopenLog();
  }

  /** Drains requests in flight, then closes everything. May be called twice. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Ends requests in flight, so that `stop` does not wait for them. */
  stopNow(): void {
    this.#force.abort();
  }

  async #open(): Promise<void> {
    const { admin } = this.#loaded.config;
    await this.#serving.start();
    const status = this.#serving.status();
    if (admin !== undefined) {
      const subject = { target: this.proxy, listener: this.#listenerSnapshot, reload: () => this.reload() };
      this.#admin = await AdminApi.open(admin, subject, status.descriptors, this.#logger);
    }
    // Last, so that a failed start logs only its reason.
    logProxyEvents(this.proxy, this.#logger);
    this.#warnings.configured(this.#loaded, status);
  }

  async #reload(): Promise<ReloadChanges> {
    const loaded = this.#loadAgain();
    const { config } = loaded;
    const changes = await this.#serving.configure(loaded);
    if (config.admin !== undefined) this.#admin?.configure(config.admin);
    for (const key of needingRestart(this.#opened, config)) this.#logger.warn(`${key} has changed: restart to use it`);
    this.#warnings.configured(loaded, this.#serving.status());
    this.#loaded = loaded;
    return changes;
  }

  #loadAgain(): LoadedConfig {
    try {
      return loadAll(this.#load);
    } catch (error) {
      throw this.proxy.reloadFailed(error);
    }
  }

  async #stop(): Promise<void> {
    const timeoutMs = Math.min(this.#loaded.config.server.shutdownTimeoutMs, limits.longestTimerMs);
    await this.#serving.drain({ timeoutMs, force: this.#force.signal });
    // The admin API stays until the end, so that /readyz reports the draining.
    this.#admin?.close();
    this.#warnings.close();
    await this.#serving.close();
  }

  /** Closes what a failed start has opened. */
  async #abandon(): Promise<void> {
    this.#admin?.close();
    this.#warnings.close();
    await this.#serving.destroy();
  }

  readonly #listenerSnapshot = (): ListenerSnapshot => {
    const { connections, handshakeFailures, proxyHeaderFailures } = this.#serving.status();
    const { open, limit, refused, idleClosed } = connections;
    const { certificateExpiry } = this.#warnings;
    return {
      connections: { open, limit, refused, idleClosed },
      handshakeFailures,
      proxyHeaderFailures,
      certificateExpiry,
    };
  };
}

/** Returns the changed settings that take effect only when sockets are opened. */
function needingRestart(opened: FileConfig, now: FileConfig): string[] {
  const differ = (a: unknown, b: unknown) => JSON.stringify(a) !== JSON.stringify(b);
  return [
    ...(differ(opened.server.listen, now.server.listen) ? ["server.listen"] : []),
    ...((opened.server.tls === undefined) !== (now.server.tls === undefined) ? ["server.tls"] : []),
    ...(differ(opened.admin?.listen, now.admin?.listen) ? ["admin.listen"] : []),
  ];
}
