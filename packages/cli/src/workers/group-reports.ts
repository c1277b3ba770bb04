import type { ProcessSnapshot, WorkerSnapshot } from "@evenkeel/admin";
import { GroupSnapshots, type ProxySnapshot } from "evenkeel";
import type { ServerStatus } from "evenkeel/server";
import { OneAtATime } from "../one-at-a-time.ts";
import { workerLimits } from "./limits.ts";
import type { Supervisor } from "./supervisor.ts";
import type { WorkerReport } from "./worker-messages.ts";
import type { WorkerProcess } from "./worker-process.ts";

/** The connections that a group has turned away before a worker had them, and those that wait for one. */
export interface PrimaryConnections {
  readonly waiting: number;
  readonly dropped: number;
  readonly acceptFailures: number;
}

const unmeasured: Omit<ProcessSnapshot, "pid"> = {
  since: 0,
  eventLoopDelayMs: { p50: 0, p90: 0, p99: 0, max: 0 },
  heapUsedBytes: 0,
  rssBytes: 0,
};

/** The counts of all workers, those that have ended included. */
export class GroupReports {
  readonly #supervisor: Supervisor;
  readonly #own: () => PrimaryConnections;
  readonly #snapshots = new GroupSnapshots();
  readonly #reports = new Map<string, WorkerReport>();
  /** What ended workers have counted. */
  readonly #retired = { refused: 0, dropped: 0, idleClosed: 0, plainHttp: 0, other: 0, proxyHeaders: 0, accepts: 0 };
  /** Have not replied in time. They are asked again, and not waited for: a probe of /readyz has a timeout, too. */
  readonly #late = new WeakSet<WorkerProcess>();
  readonly #refreshes = new OneAtATime(() => this.#refresh());
  readonly #timer: NodeJS.Timeout;

  constructor(supervisor: Supervisor, own: () => PrimaryConnections) {
    this.#supervisor = supervisor;
    this.#own = own;
    // A worker that is killed takes along what it has counted since its last report.
    this.#timer = setInterval(() => void this.refresh(), workerLimits.reportMs).unref();
  }

  /** Resolves when the counts are those of a moment after the call; those of a worker that stalls stay as they were. */
  refresh(): Promise<void> {
    return this.#refreshes.run();
  }

  /** Call it in the order in which the reports arrive: each replaces the one before. */
  report({ id }: WorkerProcess, report: WorkerReport): void {
    this.#snapshots.report(id, report.snapshot);
    this.#reports.set(id, report);
  }

  ended({ id }: WorkerProcess): void {
    this.#snapshots.end(id);
    const status = this.#reports.get(id)?.status;
    this.#reports.delete(id);
    if (status === undefined) return;
    const { connections, handshakeFailures, proxyHeaderFailures, acceptFailures } = status;
    this.#retired.refused += connections.refused;
    this.#retired.dropped += connections.dropped;
    this.#retired.idleClosed += connections.idleClosed;
    this.#retired.plainHttp += handshakeFailures.plainHttp;
    this.#retired.other += handshakeFailures.other;
    this.#retired.proxyHeaders += proxyHeaderFailures;
    this.#retired.accepts += acceptFailures;
  }

  /** `base` is the snapshot of the proxy of the primary. */
  merge(base: ProxySnapshot): ProxySnapshot {
    return this.#snapshots.merge(base);
  }

  /** The argument is the status of a process that serves alone, and has no connections. */
  status({ descriptors, connections: { limit } }: ServerStatus): ServerStatus {
    const all = [...this.#reports.values()].map(({ status }) => status);
    const sum = (count: (status: ServerStatus) => number) => all.reduce((total, status) => total + count(status), 0);
    const { waiting, dropped, acceptFailures } = this.#own();
    const retired = this.#retired;
    return {
      connections: {
        open: sum(({ connections }) => connections.open) + waiting,
        limit: this.#limitOfAll(all) ?? limit,
        refused: sum(({ connections }) => connections.refused) + retired.refused,
        dropped: sum(({ connections }) => connections.dropped) + retired.dropped + dropped,
        idleClosed: sum(({ connections }) => connections.idleClosed) + retired.idleClosed,
      },
      handshakeFailures: {
        plainHttp: sum(({ handshakeFailures }) => handshakeFailures.plainHttp) + retired.plainHttp,
        other: sum(({ handshakeFailures }) => handshakeFailures.other) + retired.other,
      },
      proxyHeaderFailures: sum(({ proxyHeaderFailures }) => proxyHeaderFailures) + retired.proxyHeaders,
      acceptFailures: sum((status) => status.acceptFailures) + retired.accepts + acceptFailures,
      descriptors,
    };
  }

  /** All of them, those that are starting and those that are awaited too: their metrics do not disappear. */
  workers(): readonly WorkerSnapshot[] {
    return this.#supervisor.places.map(({ number, worker, restarts }) => ({
      ...(this.#reports.get(worker?.id ?? "")?.process ?? unmeasured),
      pid: worker?.pid ?? null,
      worker: number,
      connections: worker?.held.connections ?? 0,
      restarts: { ...restarts },
    }));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** A worker that has reported nothing yet will have the limit of the others. Undefined if none has reported. */
  #limitOfAll(all: readonly ServerStatus[]): number | undefined {
    const limits = all.map(({ connections }) => connections.limit);
    if (limits.length === 0) return undefined;
    const starting = this.#supervisor.places.length - limits.length;
    return limits.reduce((sum, limit) => sum + limit, Math.max(0, starting) * Math.min(...limits));
  }

  /** The replies are reported as messages. */
  async #refresh(): Promise<void> {
    const running = this.#supervisor.workers.filter(({ state }) => state === "ready" || state === "draining");
    await Promise.all(
      running.map(async (worker) => {
        const late = this.#late.has(worker);
        const asked = this.#ask(worker);
        if (!late) await asked;
      }),
    );
  }

  async #ask(worker: WorkerProcess): Promise<void> {
    const reply = await worker.ask({ type: "report" }, workerLimits.replyMs);
    if (reply === undefined) this.#late.add(worker);
    else this.#late.delete(worker);
  }
}
