import { isDeepStrictEqual } from "node:util";
import { type Admin, createAdmin } from "@evenkeel/admin";
import type { AdminConfig, FileConfig } from "@evenkeel/config";
import {
  createProxy,
  formatListenAddress,
  type ProxyOptions,
  type ReloadChanges,
  type Proxy as ReverseProxy,
} from "evenkeel";
import { createServer, ListenError, type Server, type ServerOptions } from "evenkeel/server";
import type { Logger } from "pino";
import { Failure } from "../failure.ts";
import { limits } from "../limits.ts";
import { AccessLog } from "../log/access-log.ts";
import { logProxyEvents } from "../log/proxy-events.ts";
import { UpstreamFailures } from "../log/upstream-failures.ts";
import { ThrottledWarning } from "../throttled-warning.ts";
import { AdminListener } from "./admin-listener.ts";
import { drain } from "./drain.ts";
import { ListenerStatus } from "./listener-status.ts";
import { readTlsFiles, type TlsFiles } from "./tls-files.ts";

/** A standalone proxy: listeners, admin API and logs of one configuration. */
export class StandaloneServer {
  readonly proxy: ReverseProxy;
  readonly #server: Server;
  readonly #load: () => FileConfig;
  readonly #logger: Logger;
  readonly #adminDropped: ThrottledWarning;
  readonly #status: ListenerStatus;
  readonly #force = new AbortController();
  /** The configuration with which the sockets were opened. */
  readonly #opened: FileConfig;
  #config: FileConfig;
  /** The certificates in use; undefined for plain HTTP. */
  #tls: TlsFiles | undefined;
  #accessLog: AccessLog | undefined;
  #upstreamFailures: UpstreamFailures | undefined;
  #admin: Admin | undefined;
  #adminListener: AdminListener | undefined;
  #stopped: Promise<void> | undefined;

  /**
   * Serves the configuration that `load` returns, and calls `load` again at each reload. Throws what `load` throws, or a
   * `Failure` for a port, a certificate or a log file that cannot be used. Nothing stays open then.
   */
  static async start(load: () => FileConfig, logger: Logger): Promise<StandaloneServer> {
    const config = load();
    const tls = config.server.tls && readTlsFiles(config.server.tls);
    const server = new StandaloneServer(load, config, tls, logger);
    try {
      await server.#open();
    } catch (error) {
      await server.#abandon();
      throw error;
    }
    return server;
  }

  private constructor(load: () => FileConfig, config: FileConfig, tls: TlsFiles | undefined, logger: Logger) {
    this.#load = load;
    this.#opened = config;
    this.#config = config;
    this.#tls = tls;
    this.#logger = logger;
    this.proxy = createProxy(toProxyOptions(config));
    this.#server = createServer(this.proxy, toServerOptions(config, tls));
    this.#status = new ListenerStatus(this.#server, logger);
    this.#adminDropped = new ThrottledWarning((connections) => {
      const { adminConnections: maxConnections } = limits;
      logger.warn({ connections, maxConnections }, "connections to the admin API were refused: the limit is reached");
    });
  }

  /** The URLs of the listeners, with the ports that the system chose; "unix:" and a path for a Unix socket. */
  get listen(): readonly string[] {
    return this.#server.urls;
  }

  /** The URL of the admin API. */
  get admin(): string | undefined {
    return this.#adminListener?.url;
  }

  /** Reloads the configuration. If it throws, nothing has changed, and the log has the reason. */
  reload(): ReloadChanges {
    const { config, tls } = this.#loadAgain();
    const changes = this.proxy.reload(toProxyOptions(config));
    // Whether there is TLS changes with a restart only.
    if (this.#tls !== undefined) this.#tls = tls ?? this.#tls;
    this.#server.configure(toServerOptions(config, this.#tls));
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

  async #open(): Promise<void> {
    const { admin, accessLog } = this.#config;
    const log = AccessLog.open(accessLog, this.#logger);
    this.#accessLog = log;
    this.proxy.on("request", log.write);
    await orFailure(this.#server.listen());
    if (admin !== undefined) {
      this.#admin = this.#createAdmin(admin);
      const { descriptors } = this.#server.status();
      const max = Math.min(limits.adminConnections, Math.ceil(descriptors / limits.adminDescriptorShare));
      const opening = AdminListener.open(admin.listen, max, {
        request: (req, res) => void this.#admin?.handler(req, res),
        dropped: () => this.#adminDropped.add(),
        error: this.#status.acceptFailed,
      });
      this.#adminListener = await orFailure(opening);
    }
    // Last, so that a failed start logs only its reason.
    logProxyEvents(this.proxy, this.#logger);
    this.#upstreamFailures = new UpstreamFailures(this.proxy, this.#logger);
    this.#status.configured(this.#config, this.#tls);
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
      listen: formatListenAddress(listen),
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
    await drain({ proxy, server: this.#server, logger: this.#logger, timeoutMs, force: this.#force.signal });
    // The admin API stays until the end, so that /readyz reports the draining.
    this.#closeAdmin();
    await this.#closeLogs();
  }

  /** Closes what a failed start has opened. */
  async #abandon(): Promise<void> {
    this.#server.destroy();
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
    this.#adminDropped.close();
    await this.#accessLog?.close();
  }
}

/** Adds what `[server]` has about request bodies, which the proxy enforces. */
function toProxyOptions({ options, server }: FileConfig): ProxyOptions {
  const { minBodyRate } = server.limits;
  return {
    requestBodyTimeout: `${server.timeouts.requestBodyMs}ms`,
    ...(minBodyRate !== undefined && { requestBodyMinRate: minBodyRate }),
    ...options,
  };
}

function toServerOptions({ options, server }: FileConfig, tls: TlsFiles | undefined): ServerOptions {
  const { headBytes, requestsPerConnection, maxConcurrentStreams } = server.limits;
  const minBodyRate = server.limits.minBodyRate ?? options.requestBodyMinRate;
  const { sendTimeout } = options;
  return {
    listen: server.listen.map(formatListenAddress),
    http2: server.http2,
    h2c: server.h2c,
    maxConnections: server.maxConnections,
    proxyProtocol: server.proxyProtocol,
    limits: {
      headBytes: `${headBytes}b`,
      requestsPerConnection,
      maxConcurrentStreams,
      ...(minBodyRate !== undefined && { minBodyRate }),
    },
    timeouts: {
      requestHeaders: `${server.timeouts.requestHeadersMs}ms`,
      keepAlive: `${server.timeouts.keepAliveMs}ms`,
      ...(sendTimeout !== undefined && { send: sendTimeout }),
    },
    ...(tls !== undefined && { tls }),
  };
}

/** The message of an address that cannot be used is meant for users. */
async function orFailure<T>(listening: Promise<T>): Promise<T> {
  try {
    return await listening;
  } catch (error) {
    throw error instanceof ListenError ? new Failure(error.message) : error;
  }
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
