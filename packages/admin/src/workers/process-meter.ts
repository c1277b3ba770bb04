import { monitorEventLoopDelay } from "node:perf_hooks";
import { limits } from "../limits.ts";
import type { EventLoopDelay, ProcessSnapshot } from "./worker-snapshot.ts";

/** Measures this process until `stop`. Costs one timer in 20 ms, and nothing for each request. */
export class ProcessMeter {
  readonly #histogram = monitorEventLoopDelay({ resolution: limits.eventLoopResolutionMs });
  readonly #now: () => number;
  readonly #since = Date.now() - process.uptime() * 1_000;
  #windowBegan: number;
  #previous: EventLoopDelay | undefined;
  /** As last measured. */
  #memory = { heapUsedBytes: 0, rssBytes: 0 };

  /** `now` is in milliseconds, of any origin. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#windowBegan = now();
    this.#histogram.enable();
  }

  snapshot(): ProcessSnapshot {
    this.#measureMemory();
    return { pid: process.pid, since: this.#since, eventLoopDelayMs: this.#delay(), ...this.#memory };
  }

  stop(): void {
    this.#histogram.disable();
  }

  /** On Linux this opens a file, and throws when the process is out of descriptors. */
  #measureMemory(): void {
    try {
      const { heapUsed, rss } = process.memoryUsage();
      this.#memory = { heapUsedBytes: heapUsed, rssBytes: rss };
    } catch {}
  }

  /** The worse of the window that has begun and the one before, so that a stall stays visible for at least one window. */
  #delay(): EventLoopDelay {
    const current = this.#read();
    const worst = this.#previous === undefined ? current : worseOf(current, this.#previous);
    const elapsed = this.#now() - this.#windowBegan;
    if (elapsed >= limits.eventLoopWindowMs) {
      this.#previous = elapsed < 2 * limits.eventLoopWindowMs ? current : undefined;
      this.#histogram.reset();
      this.#windowBegan = this.#now();
    }
    return worst;
  }

  /** The histogram has the time from one timer to the next, of which the resolution is no delay. */
  #read(): EventLoopDelay {
    const toMs = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - limits.eventLoopResolutionMs);
    const quantile = (percentile: number) => toMs(this.#histogram.percentile(percentile));
    return { p50: quantile(50), p90: quantile(90), p99: quantile(99), max: toMs(this.#histogram.max) };
  }
}

function worseOf(a: EventLoopDelay, b: EventLoopDelay): EventLoopDelay {
  return {
    p50: Math.max(a.p50, b.p50),
    p90: Math.max(a.p90, b.p90),
    p99: Math.max(a.p99, b.p99),
    max: Math.max(a.max, b.max),
  };
}
