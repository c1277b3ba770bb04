import type { ProxySnapshot } from "evenkeel";
import { limits } from "../limits.ts";
import type { History as HistoryBody, PoolSeries, Series, SeriesHistory, Traffic } from "../overview/overview.ts";
import { countsOfRequests, countsOfUpstream } from "./counts.ts";
import { type Span, trafficSamples, unmeasured, Window, windowSamples } from "./window.ts";

interface PoolHistory {
  readonly window: Window;
  readonly upstreams: Map<string, Window>;
}

/** Traffic of the last seconds, by pool and upstream. */
export interface RecentTraffic {
  readonly all: Traffic;
  pool(name: string): Traffic;
  retries(name: string): { readonly retries: number | null; readonly budgetExhausted: number | null };
  upstream(pool: string, id: string): Traffic;
  /** The number of errors of a pool, or of one of its upstreams. */
  errors(pool: string, upstream?: string): number;
}

/**
 * The last minute of a target, in samples. What the snapshots no longer have is forgotten at once; an upstream beyond
 * `limits.historyUpstreams` has no history.
 */
export class History {
  /** Of each sample: its time in milliseconds since 1970, and the seconds that it covers, on the monotonic clock. */
  readonly #times = new Float64Array(windowSamples);
  readonly #seconds = new Float64Array(windowSamples);
  readonly #pools = new Map<string, PoolHistory>();
  #all: Window | undefined;
  /** The number of samples so far. */
  #count = 0;
  #lastAt = 0;
  /** The same for all readers until the next sample. */
  #recentSpan: Span | undefined;

  /** `now` is in milliseconds on a monotonic clock. The first snapshot is no sample: it only says where counting begins. */
  record(snapshot: ProxySnapshot, now: number): void {
    const { all, pools } = countsOfRequests(snapshot);
    const seconds = (now - this.#lastAt) / 1_000;
    const sample = this.#all === undefined ? undefined : { number: this.#count++, seconds };
    if (sample !== undefined) {
      this.#times[sample.number % windowSamples] = snapshot.time;
      this.#seconds[sample.number % windowSamples] = seconds;
    }
    this.#lastAt = now;
    this.#recentSpan = undefined;
    const add = (window: Window | undefined, counts: Parameters<Window["add"]>[2]) => {
      if (window === undefined || sample === undefined) return new Window(this.#count, counts);
      window.add(sample.number, sample.seconds, counts);
      return window;
    };
    this.#all = add(this.#all, all);
    let room: number = limits.historyUpstreams;
    for (const { name, upstreams } of snapshot.pools) {
      const counts = pools.get(name);
      if (counts === undefined) continue;
      const known = this.#pools.get(name);
      const pool = { window: add(known?.window, counts), upstreams: known?.upstreams ?? new Map<string, Window>() };
      this.#pools.set(name, pool);
      for (const upstream of upstreams.slice(0, room)) {
        pool.upstreams.set(upstream.id, add(pool.upstreams.get(upstream.id), countsOfUpstream(upstream)));
      }
      const followed = new Set(upstreams.slice(0, room).map(({ id }) => id));
      room = Math.max(0, room - upstreams.length);
      for (const id of pool.upstreams.keys()) if (!followed.has(id)) pool.upstreams.delete(id);
    }
    for (const name of this.#pools.keys()) if (!pools.has(name)) this.#pools.delete(name);
  }

  recent(): RecentTraffic {
    this.#recentSpan ??= this.#span(limits.trafficMs, trafficSamples);
    const span = this.#recentSpan;
    return {
      all: this.#all?.traffic(span) ?? unmeasured,
      pool: (name) => this.#windowOf(name)?.traffic(span) ?? unmeasured,
      retries: (name) => this.#windowOf(name)?.retriesPerSecond(span) ?? { retries: null, budgetExhausted: null },
      upstream: (pool, id) => this.#windowOf(pool, id)?.traffic(span) ?? unmeasured,
      errors: (pool, upstream) => this.#windowOf(pool, upstream)?.errors(span) ?? 0,
    };
  }

  /** Undefined for a pool or an upstream without history. */
  series(pool: string, upstream: string | undefined, sampleMs: number): SeriesHistory | undefined {
    const window = this.#windowOf(pool, upstream);
    if (window === undefined) return undefined;
    const span = this.#minute();
    const series = upstream === undefined ? poolSeriesOf(window, span) : seriesOf(window, span);
    return { sampleMs, times: this.#timesOf(span), ...series };
  }

  all(sampleMs: number): HistoryBody {
    const span = this.#minute();
    const times = this.#timesOf(span);
    const pools = [...this.#pools].map(([name, { window }]) => [name, poolSeriesOf(window, span)] as const);
    const upstreams = [...this.#pools].map(([name, pool]) => {
      const rates = [...pool.upstreams].map(([id, window]) => [id, window.values("rate", span)] as const);
      return [name, Object.fromEntries(rates)] as const;
    });
    return {
      sampleMs,
      end: times.at(-1) ?? 0,
      times,
      pools: Object.fromEntries(pools),
      upstreams: Object.fromEntries(upstreams),
    };
  }

  #windowOf(pool: string, upstream?: string): Window | undefined {
    const found = this.#pools.get(pool);
    return upstream === undefined ? found?.window : found?.upstreams.get(upstream);
  }

  #minute(): Span {
    return this.#span(limits.historyMs, windowSamples);
  }

  /** The newest samples that cover `ms`, and at least the newest one. */
  #span(ms: number, max: number): Span {
    const seconds: number[] = [];
    let covered = 0;
    while (seconds.length < Math.min(this.#count, max)) {
      const next = this.#seconds[(this.#count - 1 - seconds.length) % windowSamples] ?? 0;
      covered += next * 1_000;
      // Timers are late by some milliseconds.
      if (seconds.length > 0 && covered > ms * 1.05) break;
      seconds.push(next);
    }
    return { newest: this.#count - 1, seconds };
  }

  #timesOf({ newest, seconds }: Span): number[] {
    return seconds.map((_, index) => this.#times[(newest - seconds.length + 1 + index) % windowSamples] ?? 0);
  }
}

function seriesOf(window: Window, span: Span): Series {
  return {
    rate: window.values("rate", span),
    errorRatio: window.values("errorRatio", span),
    p50: window.values("p50", span),
    p99: window.values("p99", span),
    inFlight: window.values("inFlight", span),
  };
}

function poolSeriesOf(window: Window, span: Span): PoolSeries {
  return { ...seriesOf(window, span), queueDepth: window.values("queueDepth", span) };
}
