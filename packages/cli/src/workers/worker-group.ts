import { setTimeout as wait } from "node:timers/promises";
import type { AdminTarget } from "@evenkeel/admin";
import type { FileConfig } from "@evenkeel/config";
import { createProxy, type ReloadChanges, type Proxy as ReverseProxy } from "evenkeel";
import { createServer, type ListeningHandle, type Server, type ServerStatus } from "evenkeel/server";
import type { Logger } from "pino";
import { aborted } from "../aborted.ts";
import { limits } from "../limits.ts";
import { checkAccessLog } from "../log/access-log.ts";
import { standardStreamAt } from "../log/open-sink.ts";
import { OutputRelay } from "../log/output-relay.ts";
import { drainReport } from "../serving/drain-report.ts";
import type { LoadedConfig } from "../serving/loaded-config.ts";
import type { DrainOptions, Inherit, Serving } from "../serving/serving.ts";
import { toProxyOptions, toServerOptions } from "../serving/to-options.ts";
import type { Tracing } from "../tracing/start-tracing.ts";
import { GroupConnections } from "./group-connections.ts";
import { GroupReports } from "./group-reports.ts";
import { GroupState } from "./group-state.ts";
import { GroupTarget } from "./group-target.ts";
import { workerLimits } from "./limits.ts";
import { protocol, type StartMessage, type WorkerConfig } from "./primary-messages.ts";
import { Supervisor } from "./supervisor.ts";
import type { WorkerMessage } from "./worker-messages.ts";
import type { WorkerProcess } from "./worker-process.ts";

export interface WorkerGroupOptions {
  readonly size: number;
  /** The file of the command, which workers run. */
  readonly entry: string;
  /** Writes lines of the workers' own logs. */
  readonly stderr: (lines: string) => void;
}

/** Serves clients in workers. This process accepts the connections, probes the upstreams, and has the intent of operators. */
export class WorkerGroup implements Serving {
  readonly proxy: ReverseProxy;
  readonly #target: GroupTarget;
  readonly #logger: Logger;
  readonly #size: number;
  readonly #state: GroupState;
  readonly #supervisor: Supervisor;
  readonly #reports: GroupReports;
  readonly #connections: GroupConnections;
  /** Validates the options of the listeners, as each worker does. It serves nothing. */
  readonly #validator: Server;
  readonly #output: OutputRelay;
  #loaded: LoadedConfig;
  #tracing: Tracing | undefined;

  constructor(loaded: LoadedConfig, logger: Logger, { size, entry, stderr }: WorkerGroupOptions) {
    this.#loaded = loaded;
    this.#logger = logger;
    this.#size = size;
    this.#state = new GroupState(size);
    this.proxy = createProxy(toProxyOptions(loaded.config), { coordination: this.#state.coordination });
    this.#validator = createServer(this.proxy, toServerOptions(loaded));
    this.#output = new OutputRelay(logger);
    this.#supervisor = new Supervisor(
      { size, entry, logger, output: { stdout: this.#output.write, stderr } },
      {
        startMessage: (number, id) => this.#startMessage(number, id),
        ready: ({ id }) => this.#connections.distribution.join(id),
        message: (worker, message) => this.#onMessage(worker, message),
        pong: (worker) => this.#onPong(worker),
        ended: (worker) => this.#onEnded(worker),
      },
    );
    this.#state.connect(this.#supervisor);
    this.#connections = new GroupConnections(loaded.config, this.#supervisor, logger, this.#maxWaiting);
    this.#reports = new GroupReports(this.#supervisor, () => this.#connections.counts);
    this.#target = new GroupTarget(this.proxy, this.#supervisor, this.#reports);
  }

  get target(): AdminTarget {
    return this.#target.bound;
  }

  get urls(): readonly string[] {
    return this.#connections.urls;
  }

  listeningSockets(): readonly ListeningHandle[] {
    return this.#connections.listeningSockets();
  }

  async start(inherit?: Inherit, beforeServing?: () => Promise<void>): Promise<void> {
    checkAccessLog(this.#loaded.config.accessLog);
    await this.#supervisor.start();
    await this.#traceProbes();
    this.#state.beginProbing();
    await this.#reports.refresh();
    await this.#connections.listen(await inherit?.(), beforeServing);
  }

  async configure(loaded: LoadedConfig): Promise<ReloadChanges> {
    const { tls } = this.#loaded;
    // Whether there is TLS changes with a restart only.
    const next = { config: loaded.config, tls: tls && (loaded.tls ?? tls) };
    const changes = this.#reload(next);
    this.#loaded = next;
    this.#connections.distribution.maxWaiting = this.#maxWaiting;
    await this.#supervisor.confirm((worker) => ({ type: "configure", ...this.#configFor(worker) }));
    return changes;
  }

  async status(): Promise<ServerStatus> {
    await this.#reports.refresh();
    return this.#reports.status(this.#validator.status());
  }

  get alive(): boolean {
    return this.#supervisor.ready.length > 0;
  }

  get descriptors(): number {
    return this.#validator.status().descriptors;
  }

  reopenLog(): void {
    this.#supervisor.broadcast({ type: "reopenLog" });
  }

  /**
   * The workers drain as one process would. The proxy of this process ends its probes, and has the pools for the admin API.
   */
  async drain({ timeoutMs, force, handedOver }: DrainOptions): Promise<void> {
    await this.#connections.stop(handedOver, force);
    this.#supervisor.stopReplacing();
    const closed = this.proxy.close({ timeout: "0ms" });
    const workers = this.#supervisor.workers;
    for (const worker of workers) worker.drain(timeoutMs);
    await this.#reports.refresh();
    const report = drainReport(this.#logger, () => this.#target.snapshotNow());
    report("stopping: no new connections, waiting for requests in flight");
    const reporting = setInterval(() => {
      void this.#reports.refresh().then(() => report("still waiting for requests in flight"));
    }, limits.drainReportMs);
    const onForce = () => this.#supervisor.broadcast({ type: "end" });
    if (force.aborted) onForce();
    else force.addEventListener("abort", onForce, { once: true });

    const ended = Promise.all(workers.map((worker) => worker.ended));
    const stopWaiting = new AbortController();
    const { signal } = stopWaiting;
    const late = wait(timeoutMs + workerLimits.endMs, undefined, { signal }).catch(() => {});
    const forced = aborted(force).then(() => wait(workerLimits.endMs, undefined, { signal }).catch(() => {}));
    await Promise.race([ended, late, forced]);
    for (const worker of this.#supervisor.workers) worker.kill("stalled");
    await ended;
    stopWaiting.abort();
    clearInterval(reporting);
    await closed;
  }

  async close(): Promise<void> {
    this.#connections.close();
    await this.proxy.close({ timeout: "0ms" });
    await this.#tracing?.stop();
    this.#state.close();
    this.#reports.close();
    await this.#supervisor.destroy();
    await this.#output.close();
  }

  destroy(): Promise<void> {
    return this.close();
  }

  /** This process probes for all workers. It has no other spans. */
  async #traceProbes(): Promise<void> {
    const { tracing } = this.#loaded.config;
    if (tracing?.probes !== true) return;
    const { startTracing } = await import("../tracing/start-tracing.ts");
    this.#tracing = await startTracing(tracing, this.#logger);
  }

  #reload({ config, tls }: LoadedConfig): ReloadChanges {
    const undo = this.#state.renewGeneration();
    try {
      const { listen: _, ...changes } = toServerOptions({ config, tls });
      this.#validator.configure(changes);
    } catch (error) {
      undo();
      throw this.proxy.reloadFailed(error);
    }
    try {
      return this.proxy.reload(toProxyOptions(config));
    } catch (error) {
      undo();
      throw error;
    }
  }

  #onMessage(worker: WorkerProcess, message: WorkerMessage): void {
    const { id, number } = worker;
    if (message.type === "accepted") this.#connections.distribution.confirmed(id, message.id, message.connections);
    else if (message.type === "connections") this.#connections.distribution.reported(id, message.connections);
    else if (message.type === "report" || message.type === "drained") this.#reports.report(worker, message.report);
    else if (message.type === "event") this.#target.emit(message.name, message.event, number);
    else this.#state.receive(worker, message);
  }

  #onPong({ id, held, sentBeforePing }: WorkerProcess): void {
    this.#connections.distribution.passed(id, sentBeforePing);
    this.#connections.distribution.reported(id, held.connections);
  }

  #onEnded(worker: WorkerProcess): void {
    this.#reports.ended(worker);
    this.#state.leave(worker.id);
    this.#connections.distribution.leave(worker.id);
  }

  get #maxWaiting(): number {
    const { maxConnections } = this.#loaded.config.server;
    return Math.min(maxConnections, Math.floor(this.descriptors / 2));
  }

  #startMessage(number: number, id: string): StartMessage {
    return {
      type: "start",
      protocol,
      worker: number,
      id,
      ticketKeys: this.#validator.ticketKeys.toString("base64"),
      ...this.#state.join(id),
      ...this.#configFor({ number }),
    };
  }

  /** The part of a worker in `maxConnections`, and the stream that its access log goes to, as seen from this process. */
  #configFor({ number }: { readonly number: number }): WorkerConfig {
    const { config, tls } = this.#loaded;
    const { generation } = this.#state.coordination;
    return { config: divided(config, number, this.#size), tls, generation };
  }
}

function divided(config: FileConfig, number: number, size: number): FileConfig {
  const { server, accessLog } = config;
  const part = Math.floor(server.maxConnections / size) + (number <= server.maxConnections % size ? 1 : 0);
  const path = accessLog.format === "none" ? accessLog.path : (standardStreamAt(accessLog.path) ?? accessLog.path);
  return {
    ...config,
    // Its token is of no use to a worker.
    admin: undefined,
    server: { ...server, maxConnections: Math.max(1, part) },
    accessLog: { ...accessLog, path },
  };
}
