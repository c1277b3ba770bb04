import type { Pool } from "../../pool/pool.ts";
import type { Upstream } from "../../pool/upstream.ts";
import type { PoolReport, TimelineSlot, UpstreamReport } from "./report.ts";
import { round, Samples } from "./samples.ts";

/** Collects the statistics of one pool, over the proxies that have it. */
export class PoolRecord {
  readonly #name: string;
  /** One for each proxy. */
  readonly #pools: readonly Pool[];
  readonly #policy: string;
  readonly #upstreams = new Map<string, UpstreamRecord>();
  readonly #outcomes = new Counts();
  readonly #retries = new Counts();
  readonly #latency = new Samples();
  readonly #waits = new Samples();
  readonly #timeline: TimelineSlot[] = [];
  #requests = 0;
  #failed = 0;
  #sent = 0;
  #maxDepth = 0;
  #slot = new SlotRecord();

  constructor(name: string, policy: string, pools: readonly Pool[]) {
    this.#name = name;
    this.#pools = pools;
    this.#policy = policy;
    for (const { id } of pools[0]?.upstreams ?? []) this.of(id);
  }

  of(id: string): UpstreamRecord {
    const known = this.#upstreams.get(id);
    if (known !== undefined) return known;
    const record = new UpstreamRecord();
    this.#upstreams.set(id, record);
    return record;
  }

  /** An upstream is about to be picked among these candidates: adds to each the share that its weight is worth. */
  offered(candidates: readonly Upstream[]): void {
    let total = 0;
    for (const { effectiveWeight } of candidates) total += effectiveWeight;
    for (const { id, effectiveWeight } of candidates) this.of(id).due += effectiveWeight / total;
  }

  sent(upstream: Upstream): void {
    const { id } = upstream;
    const record = this.of(id);
    let { inFlight } = upstream;
    for (const pool of this.#pools) {
      const other = pool.get(id);
      if (other !== undefined && other !== upstream) inFlight += other.inFlight;
    }
    record.requests++;
    record.mostInFlight = Math.max(record.mostInFlight, inFlight);
    this.#sent++;
    this.#slot.sent.add(id);
  }

  queued(): void {
    const depth = sum(this.#pools, ({ queue }) => queue.depth);
    this.#maxDepth = Math.max(this.#maxDepth, depth);
    this.#slot.queued = Math.max(this.#slot.queued, depth);
  }

  waited(ms: number): void {
    this.#waits.add(ms);
  }

  retried(reason: string): void {
    this.#retries.add(reason);
    this.#slot.retries++;
  }

  finished(outcome: string, failed: boolean, ms: number): void {
    this.#requests++;
    this.#slot.requests++;
    this.#outcomes.add(outcome);
    if (failed) {
      this.#failed++;
      this.#slot.failed++;
    } else {
      this.#latency.add(ms);
      this.#slot.latency.add(ms);
    }
  }

  closeSlot(at: number): void {
    const { requests, failed, retries, queued, latency, sent } = this.#slot;
    const { p50, p99 } = latency.distribution();
    this.#timeline.push({ at, requests, failed, retries, queued, p50, p99, upstreams: sent.toObject() });
    this.#slot = new SlotRecord();
  }

  report(): PoolReport {
    const outcomes = this.#outcomes.toObject();
    return {
      name: this.#name,
      policy: this.#policy,
      requests: this.#requests,
      outcomes,
      failed: this.#failed,
      latency: this.#latency.distribution(),
      queue: {
        waited: this.#waits.distribution().count,
        wait: this.#waits.distribution(),
        deepest: this.#maxDepth,
        overflowed: outcomes["queue_full"] ?? 0,
        timedOut: outcomes["queue_timeout"] ?? 0,
      },
      retries: this.#retries.toObject(),
      retryBudgetExhausted: sum(this.#pools, ({ retryBudget }) => retryBudget.exhausted),
      upstreams: [...this.#upstreams].map(([id, record]) =>
        record.report(id, this.#sent, this.#pools[0]?.get(id)?.weight),
      ),
      timeline: this.#timeline,
    };
  }
}

/** Collects the statistics of one upstream. */
export class UpstreamRecord {
  readonly outcomes: Counts = new Counts();
  readonly latency: Samples = new Samples();
  requests = 0;
  /** The requests that its weights were worth. */
  due = 0;
  mostInFlight = 0;
  ejections = 0;
  healthChanges = 0;

  /** `weight` is undefined when the upstream has left. */
  report(id: string, sent: number, weight = 0): UpstreamReport {
    const { requests, due, outcomes, latency, mostInFlight, ejections, healthChanges } = this;
    return {
      id,
      weight,
      requests,
      share: sent === 0 ? 0 : round(requests / sent),
      due: sent === 0 ? 0 : round(due / sent),
      outcomes: outcomes.toObject(),
      latency: latency.distribution(),
      mostInFlight,
      ejections,
      healthChanges,
    };
  }
}

class SlotRecord {
  readonly latency = new Samples();
  readonly sent = new Counts();
  requests = 0;
  failed = 0;
  retries = 0;
  queued = 0;
}

/** Counters by name. */
export class Counts {
  readonly #counts = new Map<string, number>();

  add(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  /** Sorted by name, statuses first. */
  toObject(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

function sum(pools: readonly Pool[], countOf: (pool: Pool) => number): number {
  return pools.reduce((total, pool) => total + countOf(pool), 0);
}
