import { EventEmitter } from "node:events";
import { type AdminEvents, type AdminTarget, proxyTarget, type WorkerSnapshot } from "@evenkeel/admin";
import {
  type ExplainRequest,
  type Explanation,
  type FailedRequest,
  mergeExplanations,
  mergeFailures,
  type ProxySnapshot,
  type Proxy as ReverseProxy,
} from "evenkeel";
import type { GroupReports } from "./group-reports.ts";
import { workerLimits } from "./limits.ts";
import type { Supervisor } from "./supervisor.ts";
import { type WorkerEventName, weightReasonsOfTraffic } from "./worker-messages.ts";

/** What the admin API inspects and changes: the proxy of the primary, which has the intent of operators, and the workers. */
export class GroupTarget implements AdminTarget {
  /** This target as a plain object, which others may extend. */
  readonly bound: AdminTarget;
  readonly #own: AdminTarget;
  readonly #proxy: ReverseProxy;
  readonly #supervisor: Supervisor;
  readonly #reports: GroupReports;
  readonly #events = new EventEmitter().setMaxListeners(0);

  constructor(proxy: ReverseProxy, supervisor: Supervisor, reports: GroupReports) {
    this.#own = proxyTarget(proxy);
    this.#proxy = proxy;
    this.#supervisor = supervisor;
    this.#reports = reports;
    // A verdict begins a slow start in every process. That of the primary, which sends no requests, has no meaning.
    this.#own.on("weight", (event) => {
      if (!weightReasonsOfTraffic.has(event.reason)) this.#events.emit("weight", event);
    });
    this.bound = {
      snapshot: () => this.snapshot(),
      poolNames: () => this.poolNames(),
      setUpstream: (...change) => this.setUpstream(...change),
      addUpstream: (...added) => this.addUpstream(...added),
      removeUpstream: (...removed) => this.removeUpstream(...removed),
      explain: (request) => this.explain(request),
      describe: () => this.describe(),
      failures: () => this.failures(),
      on: (name, listener) => this.on(name, listener),
      off: (name, listener) => this.off(name, listener),
      workers: () => this.workers(),
    };
  }

  async snapshot(): Promise<ProxySnapshot> {
    await this.#reports.refresh();
    return this.snapshotNow();
  }

  /** Without asking the workers for their latest counts. */
  snapshotNow(): ProxySnapshot {
    return this.#reports.merge(this.#proxy.snapshot());
  }

  poolNames(): Iterable<string> {
    return this.#own.poolNames();
  }

  // A change of the primary's pools goes to the workers as a change of the shared state, before the question.

  async setUpstream(...change: Parameters<AdminTarget["setUpstream"]>): Promise<void> {
    await this.#own.setUpstream(...change);
    await this.#supervisor.confirm(() => ({ type: "sync" }));
  }

  async addUpstream(...added: Parameters<AdminTarget["addUpstream"]>): Promise<string> {
    const id = await this.#own.addUpstream(...added);
    await this.#supervisor.confirm(() => ({ type: "sync" }));
    return id;
  }

  async removeUpstream(...removed: Parameters<AdminTarget["removeUpstream"]>): Promise<void> {
    await this.#own.removeUpstream(...removed);
    await this.#supervisor.confirm(() => ({ type: "sync" }));
  }

  async explain(request: ExplainRequest): Promise<Explanation> {
    const own = await this.#own.explain(request);
    const explained = await Promise.all(
      this.#supervisor.ready.map(async (worker) => {
        const reply = await worker.ask({ type: "explain", request }, workerLimits.replyMs);
        const explanation = reply?.type === "explained" ? reply.explanation : undefined;
        return explanation === undefined ? [] : [{ worker: worker.number, explanation }];
      }),
    );
    const [first, ...others] = explained.flat();
    return first === undefined ? own : mergeExplanations([first, ...others]);
  }

  describe(): ReturnType<AdminTarget["describe"]> {
    return this.#own.describe();
  }

  /** Those of the workers that run. The primary serves no requests. */
  async failures(): Promise<readonly FailedRequest[]> {
    const running = this.#supervisor.workers.filter(({ state }) => state === "ready" || state === "draining");
    const all = await Promise.all(
      running.map(async (worker) => {
        const reply = await worker.ask({ type: "failures" }, workerLimits.replyMs);
        const failures = reply?.type === "failures" ? reply.failures : [];
        return failures.map((failure) => ({ ...failure, worker: worker.number }));
      }),
    );
    return mergeFailures(all);
  }

  on<Name extends keyof AdminEvents>(name: Name, listener: (event: AdminEvents[Name]) => void): void {
    if (name !== "weight") this.#own.on(name, listener);
    this.#events.on(name, listener);
  }

  off<Name extends keyof AdminEvents>(name: Name, listener: (event: AdminEvents[Name]) => void): void {
    this.#own.off(name, listener);
    this.#events.off(name, listener);
  }

  /** Emits an event of a worker. */
  emit(name: WorkerEventName, event: object, worker: number): void {
    this.#events.emit(name, { ...event, worker });
  }

  async workers(): Promise<readonly WorkerSnapshot[]> {
    await this.#reports.refresh();
    return this.#reports.workers();
  }
}
