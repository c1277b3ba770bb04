import { isDeepStrictEqual } from "node:util";
import { type Admin, createAdmin } from "@evenkeel/admin";
import type { AdminConfig, FileConfig } from "@evenkeel/config";
import { createProxy, type ProxyOptions, type ReloadChanges, type Proxy as ReverseProxy } from "evenkeel";
import type { Logger } from "pino";
import { limits } from "../limits.ts";
import { AccessLog } from "../log/access-log.ts";
import { logProxyEvents } from "../log/proxy-events.ts";
import { UpstreamFailures } from "../log/upstream-failures.ts";
import { ThrottledWarning } from "../throttled-warning.ts";
import { connectionBudget, descriptorLimit } from "./connection-budget.ts";
import { ConnectionTable } from "./connection-table.ts";
import { drain } from "./drain.ts";
import { formatAddress, toListenTargets } from "./listen.ts";
import { Listener, type ListenerHandlers, type ListenerSettings } from "./listener.ts";
import { ListenerStatus } from "./listener-status.ts";
import { readTlsFiles, type TlsFiles } from "./tls-files.ts";

/** The admin API has few clients with short requests. */
const adminSettings: ListenerSettings = {
  timeouts: { requestHeadersMs: 10_000, keepAliveMs: 10_000 },
};

/** A standalone proxy: listeners, admin API and logs of one configuration. */
export class StandaloneServer {
  readonly proxy: ReverseProxy;
  readonly #load: () => FileConfig;
  readonly #logger: Logger;
  readonly #dropped: ThrottledWarning;
  readonly #adminDropped: ThrottledWarning;
  readonly #failedAccepts: ThrottledWarning;
  readonly #status: ListenerStatus;
  readonly #listeners: Listener[] = [];
  readonly #force = new AbortController();
  /** The configuration with which the sockets were opened. */
  readonly #opened: FileConfig;
  #config: FileConfig;
  #accessLog: AccessLog | undefined;
  #upstreamFailures: UpstreamFailures | undefined;
  #admin: Admin | undefined;
  #adminListener: Listener | undefined;
  #stopped: Promise<void> | undefined;

  /**
   * Serves the configuration that `load` returns, and calls `load` again at each reload. Throws what `load` throws, or a
   * `Failure` for a port, a certificate or a log file that cannot be used. Nothing stays open then.
   */
  static async start(load: () => FileConfig, logger: Logger): Promise<StandaloneServer> {
    const config = load();
    const tls = config.server.tls && readTlsFiles(config.server.tls);
    const server = new StandaloneServer(load, config, logger);
    try {
      await server.#open(tls);
    } catch (error) {
      await server.#abandon();
      throw error;
    }
    return server;
  }

  private constructor(load: () => FileConfig, config: FileConfig, logger: Logger) {
    this.#load = load;
    this.#opened = config;
    this.#config = config;
    this.#logger = logger;
    this.proxy = createProxy(toProxyOptions(config));
    this.#status = new ListenerStatus(config.server.maxConnections, logger);
    this.#dropped = new ThrottledWarning((connections) => {
      const { maxConnections } = this.#config.server;
      logger.warn(
        { connections, maxConnections },
        "client connections were closed without a response: the limit is reached",
      );
    });
    this.#adminDropped = new ThrottledWarning((connections) => {
      const { adminConnections: maxConnections } = limits;
      logger.warn({ connections, maxConnections }, "connections to the admin API were refused: the limit is reached");
    });
    this.#failedAccepts = new ThrottledWarning((times) => logger.error({ times }, "connections could not be accepted"));
  }

  /** The URLs of the listeners, with the ports that the system chose; "unix:" and a path for a Unix socket. */
  get listen(): readonly string[] {
    return this.#listeners.map(({ url }) => url);
  }

  /** The URL of the admin API. */
  get admin(): string | undefined {
    return this.#adminListener?.url;
  }

  /** Reloads the configuration. If it throws, nothing has changed, and the log has the reason. */
  reload(): ReloadChanges {
    const { config, tls } = this.#loadAgain();
    const changes = this.proxy.reload(toProxyOptions(config));
    for (const listener of this.#listeners) {
      listener.configure(config.server);
      if (tls !== undefined) listener.renewTls(tls);
    }
    this.#renewAdmin(config.admin);
    for (const key of needingRestart(this.#opened, config)) this.#logger.warn(`${key} has changed: restart to use it`);
    void this.#accessLog?.reopen(config.accessLog);
    this.#status.configured(config, tls);
    this.#config = config;
    return changes;
  }

  /** Reopens the access log by its path, after log rotation has renamed the file. */
  reopenLog(): void {
    void this.#accessLog?.reopen(this.#config.accessLog);
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

  async #open(tls: TlsFiles | undefined): Promise<void> {
    const { server, admin, accessLog } = this.#config;
    const log = AccessLog.open(accessLog, this.#logger);
    this.#accessLog = log;
    this.proxy.on("request", log.write);
    const onError = () => this.#failedAccepts.add();
    const forward: ListenerHandlers["request"] = (req, res, refusal) => this.proxy.forward(req, res, { refusal });
    for (const address of toListenTargets(server.listen)) {
      const listener = await Listener.open(address, server, tls, this.#status.table, {
        request: forward,
        expecting: forward,
        upgrade: (req, socket, head, refusal) => this.proxy.forwardUpgrade(req, socket, head, { refusal }),
        drop: () => this.#dropped.add(),
        clientError: this.proxy.clientError,
        handshakeFailed: this.#status.handshakeFailed,
        error: onError,
      });
      this.#listeners.push(listener);
    }
    if (admin !== undefined) {
      this.#admin = this.#createAdmin(admin);
      this.#adminListener = await Listener.open(admin.listen, adminSettings, undefined, this.#createAdminTable(), {
        request: (req, res, refusal) => {
          if (refusal === undefined) return void this.#admin?.handler(req, res);
          this.#adminDropped.add();
          res.shouldKeepAlive = false;
          if (isProbe(req.url)) return void this.#admin?.handler(req, res);
          res.writeHead(503, { "Retry-After": 1, Connection: "close" }).end();
        },
        drop: () => this.#adminDropped.add(),
        error: onError,
      });
    }
    // Last, so that a failed start logs only its reason.
    logProxyEvents(this.proxy, this.#logger);
    this.#upstreamFailures = new UpstreamFailures(this.proxy, this.#logger);
    this.#status.configured(this.#config, tls);
  }

  /** Idle connections are closed at once: a client without a token must not keep out the probes of an orchestrator. */
  #createAdminTable(): ConnectionTable {
    const { served, refused } = connectionBudget(limits.adminConnections, descriptorLimit() / 4);
    const closedIdle = (count: number) => {
      for (let each = 0; each < count; each++) this.#adminDropped.add();
    };
    return new ConnectionTable({ served, refused }, { closedIdle, refused() {} }, 0);
  }

  /** The event streams stay open unless the admin configuration has changed. */
  #renewAdmin(admin: AdminConfig | undefined): void {
    if (this.#adminListener === undefined || admin === undefined) return;
    if (isDeepStrictEqual(admin, this.#config.admin)) return;
    this.#admin?.close();
    this.#admin = this.#createAdmin(admin);
  }

  #createAdmin({ token, metrics, hosts, readyPools, listen }: AdminConfig): Admin {
    return createAdmin(this.proxy, {
      ...(token !== undefined && { token }),
      metrics,
      hosts,
      readyPools,
      listen: formatAddress(listen),
      onReload: () => this.reload(),
      listener: this.#status.snapshot,
    });
  }

  #loadAgain(): { config: FileConfig; tls: TlsFiles | undefined } {
    try {
      const config = this.#load();
      return { config, tls: config.server.tls && readTlsFiles(config.server.tls) };
    } catch (error) {
      throw this.proxy.reloadFailed(error);
    }
  }

  async #stop(): Promise<void> {
    const timeoutMs = Math.min(this.#config.server.shutdownTimeoutMs, limits.longestTimerMs);
    const { proxy } = this;
    await drain({ proxy, listeners: this.#listeners, logger: this.#logger, timeoutMs, force: this.#force.signal });
    // The admin API stays until the end, so that /readyz reports the draining.
    this.#closeAdmin();
    await this.#closeLogs();
  }

  /** Closes what a failed start has opened. */
  async #abandon(): Promise<void> {
    for (const listener of this.#listeners) listener.destroy();
    this.#closeAdmin();
    await this.proxy.close({ timeout: "0s" });
    await this.#closeLogs();
  }

  #closeAdmin(): void {
    this.#admin?.close();
    this.#adminListener?.destroy();
  }

  async #closeLogs(): Promise<void> {
    this.#upstreamFailures?.close();
    this.#status.close();
    this.#dropped.close();
    this.#adminDropped.close();
    this.#failedAccepts.close();
    await this.#accessLog?.close();
  }
}

/** Whether a path is a health endpoint. An orchestrator restarts the process if it gets no response there. */
function isProbe(url = ""): boolean {
  return /^\/(?:healthz|readyz)(?:\?|$)/.test(url);
}

/** Adds `server.timeouts.requestBody`, which the proxy enforces. */
function toProxyOptions({ options, server }: FileConfig): ProxyOptions {
  return { requestBodyTimeout: `${server.timeouts.requestBodyMs}ms`, ...options };
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
