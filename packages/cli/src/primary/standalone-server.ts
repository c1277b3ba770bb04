import { availableParallelism } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import type { ListenerSnapshot } from "@evenkeel/admin";
import { describeTables, type FileConfig } from "@evenkeel/config";
import { formatListenAddress, type ReloadChanges, type Proxy as ReverseProxy } from "evenkeel";
import type { Logger } from "pino";
import { Failure } from "../failure.ts";
import { limits } from "../limits.ts";
import { TargetLog } from "../log/target-log.ts";
import { OneAtATime } from "../one-at-a-time.ts";
import { Succession, type SuccessionOptions } from "../restart/succession.ts";
import type { SharedSocket, Successor } from "../restart/successor.ts";
import { type LoadedConfig, loadAll } from "../serving/loaded-config.ts";
import { LocalServing } from "../serving/local-serving.ts";
import type { Serving } from "../serving/serving.ts";
import { WorkerGroup, type WorkerGroupOptions } from "../workers/worker-group.ts";
import { AdminApi } from "./admin-api.ts";
import { ConfigurationWarnings } from "./configuration-warnings.ts";
import { needingRestart } from "./needing-restart.ts";

export interface StandaloneOptions extends SuccessionOptions {
  /** What workers need, where several are configured. Without it this process serves alone, whatever the configuration. */
  readonly workers?: Omit<WorkerGroupOptions, "size">;
}

/** A standalone proxy: what serves clients, with the admin API, reloads and the stop. */
export class StandaloneServer {
  readonly #load: () => FileConfig;
  readonly #logger: Logger;
  readonly #serving: Serving;
  readonly #warnings: ConfigurationWarnings;
  readonly #log: TargetLog;
  readonly #reloads = new OneAtATime(() => this.#reload());
  readonly #succession: Succession;
  readonly #force = new AbortController();
  /** Aborted when the delay of the stop is over. */
  readonly #delay = new AbortController();
  /** The configuration with which the sockets were opened. */
  readonly #opened: FileConfig;
  #loaded: LoadedConfig;
  #admin: AdminApi | undefined;
  /** Connections of clients are accepted. The admin API may be open before. */
  #listening = false;
  #delaying = false;
  #stopped: Promise<void> | undefined;
  /** A reload was requested while another process was starting in place of this one. */
  #reloadWanted = false;
  #onStopped: () => void = () => {};
  /** Resolves at the end of a stop: one that was requested, or that of a process that was replaced. */
  readonly stopped: Promise<void> = new Promise((resolve) => {
    this.#onStopped = resolve;
  });

  /**
   * Serves the configuration that `load` returns, and calls `load` again at each reload. Throws what `load` throws, or a
   * `Failure` for a port, a certificate or a log file that cannot be used. Nothing stays open then.
   */
  static async start(
    load: () => FileConfig,
    logger: Logger,
    options: StandaloneOptions = {},
  ): Promise<StandaloneServer> {
    const server = new StandaloneServer(load, loadAll(load), logger, options);
    try {
      await server.#open();
    } catch (error) {
      await server.#abandon();
      throw error;
    }
    return server;
  }

  private constructor(
    load: () => FileConfig,
    loaded: LoadedConfig,
    logger: Logger,
    { workers, ...succession }: StandaloneOptions,
  ) {
    this.#load = load;
    this.#opened = loaded.config;
    this.#loaded = loaded;
    this.#logger = logger;
    const size = workersOf(loaded.config);
    this.#serving =
      size === 1 || workers === undefined
        ? new LocalServing(loaded, logger)
        : new WorkerGroup(loaded, logger, { size, ...workers });
    this.#warnings = new ConfigurationWarnings(logger);
    this.#log = new TargetLog(this.#serving.target, logger);
    const subject = { target: this.#serving.target, listener: this.#listenerSnapshot, logger };
    this.#succession = new Succession(subject, succession);
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
   * in progress waits for it, and several that wait share one reload. One during a restart is made by the process that serves
   * afterwards.
   */
  async reload(): Promise<ReloadChanges> {
    this.#reloadWanted = true;
    if (await this.#succession.settled()) {
      throw new Failure("another process has taken over, and has read the configuration");
    }
    this.#reloadWanted = false;
    return this.#reloads.run();
  }

  /**
   * Starts another process in place of this one, with the code and the configuration on disk. Resolves once it serves; this
   * process drains then. If it rejects, nothing has changed, and the log has the reason.
   */
  restart(): Promise<{ readonly pid: number }> {
    return this.#succession.restart({
      opened: this.#opened,
      sockets: () => this.#sharedSockets(),
      end: () => void this.stopNow(),
      replacedBy: (successor) => {
        this.#stopped ??= this.#handOver(successor);
      },
    });
  }

  /** Reopens the access log by its path, after log rotation has renamed the file. */
  reopenLog(): void {
    this.#serving.reopenLog();
  }

  /** Serves for `drainDelay`, drains requests in flight, then closes everything. May be called twice. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Ends what `stop` waits for: the delay, or else the requests in flight. Returns false if there is nothing more to end. */
  stopNow(): boolean {
    if (this.#force.signal.aborted) return false;
    if (this.#delaying) this.#delay.abort();
    else this.#force.abort();
    return true;
  }

  async #open(): Promise<void> {
    const succession = this.#succession;
    const { admin } = this.#loaded.config;
    await succession.begin(this.#loaded.config);
    // What is inherited comes last: everything that can fail must have been done.
    const inheritsAdmin = admin !== undefined && succession.inheritsAdmin(admin.listen);
    if (!inheritsAdmin) await this.#openAdmin();
    const openInheritedAdmin = async () => {
      if (inheritsAdmin) await this.#openAdmin();
    };
    await this.#serving.start(succession.inherit(this.proxy, this.#loaded.config), openInheritedAdmin);
    // In the turn in which Unix sockets got their paths: until then, the predecessor still expects to have them.
    this.#listening = true;
    await succession.serves(() => void this.reload().catch(() => {}));
    this.#log.begin();
    this.#warnings.configured(this.#loaded, await this.#serving.status());
  }

  async #openAdmin(): Promise<void> {
    const { admin } = this.#loaded.config;
    if (admin === undefined) return;
    const succession = this.#succession;
    const subject = {
      target: succession.target,
      listener: () => succession.listener(),
      starting: () => !this.#listening || (this.#stopped === undefined && !this.#serving.alive),
      draining: () => this.#stopped !== undefined,
      onReload: () => this.reload(),
      config: () => describeTables(this.#loaded.config),
      ...(succession.restartable && { onRestart: () => this.restart() }),
    };
    const { descriptors } = this.#serving;
    const inherited = { from: succession.adminSocket(admin.listen), alone: succession.alone };
    this.#admin = await AdminApi.open(admin, subject, descriptors, this.#logger, inherited);
  }

  async #reload(): Promise<ReloadChanges> {
    const loaded = this.#loadAgain();
    const { config } = loaded;
    const changes = await this.#serving.configure(loaded);
    if (config.admin !== undefined) this.#admin?.configure(config.admin);
    for (const key of needingRestart(this.#opened, config)) this.#logger.warn(`${key} has changed: restart to use it`);
    this.#warnings.configured(loaded, await this.#serving.status());
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
    this.#succession.stop();
    await this.#delayStop();
    await this.#drain(false);
    // The admin API stays until the end, so that /readyz reports the draining.
    this.#admin?.close();
    await this.#close();
  }

  /** Serves as before, but for /readyz: load balancers in front stop sending requests before the listeners close. */
  async #delayStop(): Promise<void> {
    const { drainDelayMs } = this.#loaded.config.server;
    if (drainDelayMs === 0 || this.#force.signal.aborted) return;
    this.#logger.info(
      { drainDelayMs },
      `serving for ${drainDelayMs / 1_000} s before the listeners close; /readyz is 503`,
    );
    this.#delaying = true;
    await wait(drainDelayMs, undefined, { signal: this.#delay.signal }).catch(() => {});
    this.#delaying = false;
  }

  async #handOver(successor: Successor): Promise<void> {
    const drained = this.#drain(true);
    // Until then the successor does not respond to requests to the admin API.
    await this.#admin?.handOver();
    await this.#succession.handOn(successor, this.#reloadWanted, drained);
    await this.#close();
  }

  /** Drains this process, and waits for the end of the one that it has replaced, if that still drains. */
  async #drain(handedOver: boolean): Promise<void> {
    const timeoutMs = Math.min(this.#loaded.config.server.shutdownTimeoutMs, limits.longestTimerMs);
    const force = this.#force.signal;
    force.addEventListener("abort", () => this.#succession.endPredecessor());
    const predecessorEnded = this.#succession.predecessorEnded(timeoutMs, force);
    await this.#serving.drain({ timeoutMs, force, handedOver });
    await predecessorEnded;
  }

  async #close(): Promise<void> {
    this.#warnings.close();
    await this.#serving.close();
    this.#log.close();
    this.#succession.close();
    this.#onStopped();
  }

  /** The sockets that another process can take over. */
  #sharedSockets(): readonly SharedSocket[] {
    const admin = this.#admin?.handle;
    return [
      ...this.#serving.listeningSockets().map((handle) => ({ use: "clients" as const, ...handle })),
      ...(admin === undefined ? [] : [{ use: "admin" as const, ...admin }]),
    ].map(({ use, address, socket }) => ({ use, address: formatListenAddress(address), socket }));
  }

  /** Closes what a failed start has opened. */
  async #abandon(): Promise<void> {
    this.#admin?.close();
    this.#warnings.close();
    await this.#serving.destroy();
  }

  readonly #listenerSnapshot = async (): Promise<ListenerSnapshot> => {
    const { connections, handshakeFailures, proxyHeaderFailures } = await this.#serving.status();
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

function workersOf({ server: { workers } }: FileConfig): number {
  return workers === "auto" ? availableParallelism() : workers;
}
