import type { ResolvedHealthCheck } from "../config/resolved.ts";
import type { Health } from "../events.ts";
import type { Upstream } from "../pool/upstream.ts";
import type { Timer } from "../runtime/clock.ts";
import { InputTimeout } from "../runtime/input-timeout.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { EventLoopStallDetector } from "./event-loop-stall.ts";
import type { ProbeResult } from "./probe.ts";
import type { ProbeSlots } from "./probe-slots.ts";
import { Threshold } from "./threshold.ts";

/** The least milliseconds between two probes of an upstream when failing requests bring the second one forward. */
const minGapMs = 250;

/** What the schedules of one health checker share. */
export interface ProbeScheduleContext {
  readonly check: ResolvedHealthCheck;
  readonly runtime: Runtime;
  readonly slots: ProbeSlots;
  readonly stalls: EventLoopStallDetector;
  probe(upstream: Upstream, signal: AbortSignal, deadline: { result: ProbeResult }): Promise<ProbeResult>;
  /** Called after each probe that counts. `changed`: it has changed the verdict. `startedAt`: the start of the probe. */
  report(upstream: Upstream, result: ProbeResult, changed: boolean, startedAt: number): void;
}

/**
 * Schedules the probes of one upstream and derives its verdict.
 *
 * It is always in one of three states: waiting for its time, waiting for a slot, or with one probe in flight.
 */
export class ProbeSchedule {
  readonly upstream: Upstream;
  readonly #context: ProbeScheduleContext;
  readonly #threshold: Threshold;
  #timer: Timer | undefined;
  #dueAt = 0;
  #startedAt = -Infinity;
  #inFlight: ProbeInFlight | undefined;
  /** A request has failed while a probe was in flight. The probe's response may be older than the failure. */
  #probeSoonAgain = false;

  /** The first probe starts at a random time within the fast interval, so that the probes of a pool are spread. */
  constructor(upstream: Upstream, context: ProbeScheduleContext) {
    this.upstream = upstream;
    this.#context = context;
    this.#threshold = new Threshold(context.check, upstream.health);
    this.#waitFor(context.runtime.random() * context.check.fastIntervalMs);
  }

  get verdict(): Health {
    return this.#threshold.health;
  }

  /** Brings the next probe forward to now, or to `minGapMs` after the start of the last one. */
  probeSoon(): void {
    if (this.#inFlight !== undefined) {
      this.#probeSoonAgain = true;
      return;
    }
    const { clock } = this.#context.runtime;
    const dueAt = Math.max(clock.now(), this.#startedAt + minGapMs);
    if (dueAt < this.#dueAt) this.#waitFor(dueAt - clock.now());
  }

  /** Ends the schedule for good. A probe in flight is aborted and has no effect. */
  close(): void {
    this.#context.runtime.clock.clearTimeout(this.#timer);
    this.#context.slots.cancel(this.#startProbe);
    if (this.#inFlight !== undefined) this.#endProbe();
  }

  #waitFor(delayMs: number): void {
    const { clock } = this.#context.runtime;
    clock.clearTimeout(this.#timer);
    this.#dueAt = clock.now() + delayMs;
    this.#timer = clock.setTimeout(() => this.#context.slots.acquire(this.#startProbe), delayMs);
  }

  readonly #startProbe = (): void => {
    const { check, runtime, stalls } = this.#context;
    const abort = new AbortController();
    const late = { result: timedOut };
    const onDeadline = () => {
      // During the abort the probe may replace the result, such as by a failed lookup.
      abort.abort();
      this.#finish(probeInFlight, late.result);
    };
    const probeInFlight: ProbeInFlight = {
      abort,
      deadline: new InputTimeout(
        runtime.clock,
        onDeadline,
        check.timeoutMs,
        // After a stall the probe does not count, whatever its result, so more time is useless.
        () => stalls.count === probeInFlight.stallsBefore,
      ),
      stallsBefore: stalls.count,
    };
    this.#startedAt = runtime.clock.now();
    this.#inFlight = probeInFlight;
    this.#probeSoonAgain = false;
    void this.#context.probe(this.upstream, abort.signal, late).then((result) => this.#finish(probeInFlight, result));
  };

  #finish(probeInFlight: ProbeInFlight, result: ProbeResult): void {
    if (this.#inFlight !== probeInFlight) return;
    this.#endProbe();
    const counts = this.#context.stalls.count === probeInFlight.stallsBefore && result.reason !== "no_file_descriptors";
    const changed = counts && this.#threshold.record(result.ok);
    this.#waitFor(this.#nextDelay(counts));
    if (counts) this.#context.report(this.upstream, result, changed, this.#startedAt);
  }

  /** Ends the probe in flight and releases its slot. */
  #endProbe(): void {
    const probeInFlight = this.#inFlight;
    this.#inFlight = undefined;
    probeInFlight?.deadline.clear();
    probeInFlight?.abort.abort();
    this.#context.slots.release();
  }

  /** The interval runs from start to start. A probe that does not count is repeated after the fast interval. */
  #nextDelay(counted: boolean): number {
    const { check, runtime } = this.#context;
    const interval = this.#threshold.undecided || !counted ? check.fastIntervalMs : check.intervalMs;
    const spread = 1 + check.jitter * (2 * runtime.random() - 1);
    const gap = this.#probeSoonAgain ? Math.min(minGapMs, interval * spread) : interval * spread;
    return Math.max(0, this.#startedAt + gap - runtime.clock.now());
  }
}

interface ProbeInFlight {
  readonly abort: AbortController;
  readonly deadline: InputTimeout;
  readonly stallsBefore: number;
}

const timedOut: ProbeResult = { ok: false, reason: "timeout" };
