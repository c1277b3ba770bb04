import { limits } from "../config/defaults.ts";
import type { ResolvedOptions } from "../config/resolved.ts";
import { ManagedPool } from "../managed-pool.ts";
import type { Pool } from "../pool/pool.ts";
import { createRouting } from "../request/create-routing.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { seededRandom } from "../runtime/seeded-random.ts";
import { VirtualClock } from "../runtime/virtual-clock.ts";
import { applyStep } from "./apply-step.ts";
import { type Arrivals, GeneratedArrivals, ListedArrivals } from "./arrivals.ts";
import { EventLog } from "./event-log.ts";
import { ModelRegistry } from "./model-registry.ts";
import { Counts, PoolRecord } from "./report/pool-record.ts";
import type { SimulationReport } from "./report/report.ts";
import { round } from "./report/samples.ts";
import { Router } from "./router.ts";
import { SimulatedRequest } from "./simulated-request.ts";
import type { ResolvedRequest, ResolvedTrace } from "./trace/resolved-trace.ts";

/** One simulation, from its start to its report. */
export class Simulation {
  readonly #seed: number;
  readonly #trace: ResolvedTrace;
  readonly #clock = new VirtualClock();
  /** The runtime of the proxy. */
  readonly #runtime: Runtime;
  readonly #arrivals: Arrivals;
  readonly #models: ModelRegistry;
  readonly #pools = new Map<string, ManagedPool>();
  readonly #records = new Map<Pool, PoolRecord>();
  readonly #router: Router;
  readonly #refused = new Counts();
  readonly #log = new EventLog(this.#clock);
  /** The time of the last possible request or the last step of the script. */
  readonly #endsAt: number;
  #requests = 0;
  #open = 0;
  #slotAt = 0;

  constructor(options: ResolvedOptions, trace: ResolvedTrace, seed: number) {
    const random = seededRandom(seed);
    const nextRandom = () => seededRandom(random() * 4_294_967_296);
    const onArrival = (request: ResolvedRequest) => this.#arrive(request);
    this.#seed = seed;
    this.#trace = trace;
    this.#arrivals =
      "rate" in trace.requests
        ? new GeneratedArrivals(trace.requests, this.#clock, nextRandom(), onArrival)
        : new ListedArrivals(trace.requests, this.#clock, onArrival);
    this.#models = new ModelRegistry(trace.models, this.#clock, nextRandom());
    this.#runtime = { clock: this.#clock, random: nextRandom() };
    this.#endsAt = Math.max(this.#arrivals.endsAt, trace.script.at(-1)?.atMs ?? 0);
    for (const [name, pool] of options.pools) {
      const managed = new ManagedPool(name, pool, this.#runtime, { probe: this.#models.probe });
      this.#models.attach(managed.pool);
      const record = new PoolRecord(managed.pool, managed.balancer.policy.name);
      this.#pools.set(name, managed);
      this.#records.set(managed.pool, record);
      this.#log.follow(managed.pool, record);
    }
    this.#router = new Router(createRouting(options, this.#pools));
  }

  /** Whether promises must settle before time advances. Returns true once. */
  takeUnsettled(): boolean {
    return this.#models.takeProbed();
  }

  get progress(): number {
    return this.#endsAt === 0 ? 1 : Math.min(1, this.#clock.now() / this.#endsAt);
  }

  start(): void {
    const target = { pools: this.#pools, models: this.#models, arrivals: this.#arrivals, log: this.#log };
    for (const step of this.#trace.script) {
      this.#clock.setTimeout(() => applyStep(step, target), step.atMs);
    }
    this.#arrivals.start();
    this.#nextSlot();
  }

  /** Advances to the next timer. False when the simulation has ended. */
  step(): boolean {
    return (this.#open > 0 || this.#clock.nextAt <= this.#endsAt) && this.#clock.step();
  }

  end(): SimulationReport {
    this.#closeSlot();
    const { events, leftOut } = this.#log;
    return {
      seed: this.#seed,
      durationMs: round(this.#clock.now()),
      requests: this.#requests,
      refused: this.#refused.toObject(),
      pools: [...this.#records.values()].map((record) => record.report()),
      events,
      eventsLeftOut: leftOut,
    };
  }

  #arrive(request: ResolvedRequest): void {
    this.#requests++;
    const routed = this.#router.route(request);
    if (typeof routed === "string") return this.#refused.add(routed);
    const { pool, balancer, keyOf } = routed.route;
    this.#open++;
    new SimulatedRequest({
      pool,
      balancer,
      runtime: this.#runtime,
      record: this.#records.get(pool) as PoolRecord,
      method: request.method,
      key: request.key ?? keyOf?.(routed),
      modelOf: ({ id }) => this.#models.of(pool.name, id),
      onEnded: () => void this.#open--,
    }).start();
  }

  /** A slot lasts whole seconds, so that its times are round numbers. */
  #nextSlot(): void {
    const seconds = Math.max(1, Math.ceil(this.#endsAt / limits.simulationSlots / 1_000));
    this.#clock.setTimeout(() => {
      this.#closeSlot();
      this.#nextSlot();
    }, seconds * 1_000);
  }

  #closeSlot(): void {
    for (const record of this.#records.values()) record.closeSlot(this.#slotAt);
    this.#slotAt = this.#clock.now();
  }
}
