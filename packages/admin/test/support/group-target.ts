import {
  createProxy,
  GroupSnapshots,
  mergeExplanations,
  mergeFailures,
  type ProxyOptions,
  poolEventNames,
  type Proxy as ReverseProxy,
} from "evenkeel";
import { onTestFinished } from "vitest";
import { type AdminEvents, type AdminTarget, proxyTarget, type WorkerSnapshot } from "../../src/index.ts";

export interface Group {
  readonly target: AdminTarget;
  readonly base: ReverseProxy;
  /** The proxies of worker 1, 2 and so on. */
  readonly workers: readonly [ReverseProxy, ...ReverseProxy[]];
}

/** A group in one process: proxies with the same options, and a target as that of worker processes. */
export function groupOf(options: ProxyOptions, size: number): Group {
  const create = () => {
    const proxy = createProxy(options);
    onTestFinished(() => proxy.close({ timeout: "0s" }));
    return proxy;
  };
  const base = create();
  const workers: [ReverseProxy, ...ReverseProxy[]] = [create(), ...Array.from({ length: size - 1 }, create)];
  const targets = [base, ...workers].map(proxyTarget);
  const snapshots = new GroupSnapshots();
  const everywhere = async <T>(change: (target: AdminTarget) => Promise<T>): Promise<T> => {
    const [first] = await Promise.all(targets.map(change));
    return first as T;
  };
  const listeners = new Map<unknown, ((event: never) => void)[]>();
  const target: AdminTarget = {
    async snapshot() {
      for (const [index, worker] of workers.entries()) snapshots.report(`${index + 1}`, worker.snapshot());
      return snapshots.merge(base.snapshot());
    },
    poolNames: () => base.pools.keys(),
    setUpstream: (pool, id, change) => everywhere((one) => one.setUpstream(pool, id, change)),
    addUpstream: (pool, upstream) => everywhere((one) => one.addUpstream(pool, upstream)),
    removeUpstream: (pool, id) => everywhere((one) => one.removeUpstream(pool, id)),
    explain: async (request) => {
      const [first, ...others] = workers.map((proxy, index) => ({
        worker: index + 1,
        explanation: proxy.explain(request),
      }));
      if (first === undefined) throw new Error("no worker");
      return mergeExplanations([first, ...others]);
    },
    describe: () => base.describeOptions(),
    failures: async () =>
      mergeFailures(
        workers.map((proxy, index) => proxy.recentFailures().map((one) => ({ ...one, worker: index + 1 }))),
      ),
    on(name, listener) {
      const added = workers.map((proxy, index) => {
        const numbered = (event: object) => listener({ ...event, worker: index + 1 } as never);
        if (poolEventNames.includes(name as never)) proxy.on(name, numbered as never);
        return numbered as (event: never) => void;
      });
      listeners.set(listener, added);
    },
    off<Name extends keyof AdminEvents>(name: Name, listener: (event: AdminEvents[Name]) => void) {
      const added = listeners.get(listener) ?? [];
      for (const [index, one] of added.entries()) workers[index]?.off(name, one as never);
    },
    workers: async () => workers.map((_, index) => workerSnapshot(index + 1)),
  };
  return { target, base, workers };
}

export function workerSnapshot(worker: number): WorkerSnapshot {
  return {
    worker,
    pid: 1_000 + worker,
    since: 1_700_000_000_000,
    connections: 10 * worker,
    eventLoopDelayMs: { p50: 0.5, p90: 1, p99: 2.5, max: 40 },
    heapUsedBytes: 20_000_000,
    rssBytes: 90_400_000,
    restarts: worker === 2 ? { killed: 2, stalled: 1 } : {},
  };
}
