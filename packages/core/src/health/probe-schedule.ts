import type { ResolvedHealthCheck } from "../config/resolved.ts";
import type { Health } from "../events.ts";
import type { Upstream } from "../pool/upstream.ts";
import type { Timer } from "../runtime/clock.ts";
import { InputTimeout } from "../runtime/input-timeout.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { StallWatch } from "./event-loop-stall.ts";
import type { ProbeResult } from "./probe.ts";
import type { ProbeSlots } from "./probe-slots.ts";
import { Threshold } from "./threshold.ts";

/** From one probe of an upstream to a next one that its failing requests ask for. */
const hurriedGapMs = 250;

/** What the schedules of one checker have in common. */
export interface ScheduleContext {
  readonly check: ResolvedHealthCheck;
  readonly runtime: Runtime;
  readonly slots: ProbeSlots;
  readonly stalls: StallWatch;
  probe(upstream: Upstream, signal: AbortSignal, deadline: { result: ProbeResult }): Promise<ProbeResult>;
  /** Called after each probe that counts, with whether it changed the verdict, and when the probe began. */
  report(upstream: Upstream, result: ProbeResult, changed: boolean, startedAt: number): void;
}

/**
 * When one upstream is probed, and what follows from it.
 *
 * It is always in one of three places: waiting for its time, waiting for a slot, or with one probe in flight.
 */
export class Schedule {
  readonly upstream: Upstream;
  readonly #context: ScheduleContext;
  readonly #threshold: Threshold;
  #timer: Timer | undefined;
  #dueAt = 0;
  #startedAt = -Infinity;
  #flight: Flight | undefined;
  /** A request has failed while a probe was in flight, which may have been answered before that. */
  #hurried = false;

  /** The first probe comes at a random time within the fast interval, so that a pool's do not all come at once. */
  constructor(upstream: Upstream, context: ScheduleContext) {
    this.upstream = upstream;
    this.#context = context;
    this.#threshold = new Threshold(context.check, upstream.health);
    this.#waitFor(context.runtime.random() * context.check.fastIntervalMs);
  }

  get verdict(): Health {
    return this.#threshold.health;
  }

  /** Brings the next probe forward to now, or to a short while after the last one. */
  hurry(): void {
    if (this.#flight !== undefined) {
      this.#hurried = true;
      return;
    }
    const { clock } = this.#context.runtime;
    const dueAt = Math.max(clock.now(), this.#startedAt + hurriedGapMs);
    if (dueAt < this.#dueAt) this.#waitFor(dueAt - clock.now());
  }

  /** Ends it for good. A probe in flight is broken off and has no effect. */
  close(): void {
    this.#context.runtime.clock.clearTimeout(this.#timer);
    this.#context.slots.cancel(this.#launch);
    if (this.#flight !== undefined) this.#land();
  }

  #waitFor(delayMs: number): void {
    const { clock } = this.#context.runtime;
    clock.clearTimeout(this.#timer);
    this.#dueAt = clock.now() + delayMs;
    this.#timer = clock.setTimeout(() => this.#context.slots.enter(this.#launch), delayMs);
  }

  readonly #launch = (): void => {
    const { check, runtime, stalls } = this.#context;
    const abort = new AbortController();
    const late = { result: timedOut };
    const onDeadline = () => {
      // The probe tells during the abort what it waited for.
      abort.abort();
      this.#finish(flight, late.result);
    };
    const flight: Flight = {
      abort,
      deadline: new InputTimeout(
        runtime.clock,
        onDeadline,
        check.timeoutMs,
        // After a longer stall the probe counts for nothing, whatever its result.
        () => stalls.count === flight.stallsBefore,
      ),
      stallsBefore: stalls.count,
    };
    this.#startedAt = runtime.clock.now();
    this.#flight = flight;
    this.#hurried = false;
    void this.#context.probe(this.upstream, abort.signal, late).then((result) => this.#finish(flight, result));
  };

  #finish(flight: Flight, result: ProbeResult): void {
    if (this.#flight !== flight) return;
    this.#land();
    const counts = this.#context.stalls.count === flight.stallsBefore && result.reason !== "no_file_descriptors";
    const changed = counts && this.#threshold.record(result.ok);
    this.#waitFor(this.#nextDelay(counts));
    if (counts) this.#context.report(this.upstream, result, changed, this.#startedAt);
  }

  /** Brings the probe in flight to its end, whether it has an answer or not. */
  #land(): void {
    const flight = this.#flight;
    this.#flight = undefined;
    flight?.deadline.clear();
    flight?.abort.abort();
    this.#context.slots.leave();
  }

  /** The time between two probes runs from start to start. A probe that said nothing is soon repeated. */
  #nextDelay(counted: boolean): number {
    const { check, runtime } = this.#context;
    const interval = this.#threshold.wavering || !counted ? check.fastIntervalMs : check.intervalMs;
    const spread = 1 + check.jitter * (2 * runtime.random() - 1);
    const gap = this.#hurried ? Math.min(hurriedGapMs, interval * spread) : interval * spread;
    return Math.max(0, this.#startedAt + gap - runtime.clock.now());
  }
}

interface Flight {
  readonly abort: AbortController;
  readonly deadline: InputTimeout;
  readonly stallsBefore: number;
}

const timedOut: ProbeResult = { ok: false, reason: "timeout" };
