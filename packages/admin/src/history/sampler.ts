import { performance } from "node:perf_hooks";
import { debuglog } from "node:util";
import type { ProxySnapshot } from "evenkeel";
import { limits } from "../limits.ts";
import type { AdminTarget } from "../target/admin-target.ts";
import { History } from "./history.ts";

const debug = debuglog("evenkeel:admin");
/** Samples whose cost decides about the time to the next one. */
const costSamples = 3;

/**
 * Takes samples of a target, from `start` to `stop`: one in a second, and fewer where one costs more than a hundredth of the time
 * between two. The process may end meanwhile.
 */
export class Sampler {
  readonly history: History = new History();
  /** Is called after each sample, with its snapshot. */
  onSample: (snapshot: ProxySnapshot) => void = () => {};
  readonly #target: AdminTarget;
  readonly #measureCost: () => () => number;
  #sampleMs: number = limits.sampleMs;
  #costsMs: readonly number[] = [];
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  /** `measureCost` begins to measure, and its result returns the milliseconds in which this process was busy since. */
  constructor(target: AdminTarget, measureCost: () => () => number = measureBusyTime) {
    this.#target = target;
    this.#measureCost = measureCost;
  }

  /** Milliseconds between two samples. */
  get sampleMs(): number {
    return this.#sampleMs;
  }

  start(): void {
    if (!this.#stopped) void this.#sample();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #sample(): Promise<void> {
    const began = performance.now();
    const cost = this.#measureCost();
    try {
      const snapshot = await this.#target.snapshot();
      if (this.#stopped) return;
      this.history.record(snapshot, performance.now());
      this.onSample(snapshot);
    } catch (error) {
      debug("a sample failed: %o", error);
    }
    if (this.#stopped) return;
    this.#costsMs = [...this.#costsMs.slice(1 - costSamples), cost()];
    this.#sampleMs = intervalFor(this.#costsMs);
    const rest = Math.max(0, this.#sampleMs - (performance.now() - began));
    this.#timer = setTimeout(() => void this.#sample(), rest).unref();
  }
}

/** Includes other work of this process while a group is waited for. */
function measureBusyTime(): () => number {
  const before = performance.eventLoopUtilization();
  return () => performance.eventLoopUtilization(before).active;
}

/** Milliseconds between two samples, in whole seconds. The cheapest of the last samples counts: the others may include other work. */
export function intervalFor(costsMs: readonly number[]): number {
  if (costsMs.length < costSamples) return limits.sampleMs;
  const seconds = Math.ceil(Math.min(...costsMs) / limits.sampleCost / 1_000);
  return Math.min(Math.max(seconds * 1_000, limits.sampleMs), limits.sampleMaxMs);
}
