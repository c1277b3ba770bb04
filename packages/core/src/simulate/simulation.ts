import { limits } from "../config/defaults.ts";
import type { ResolvedOptions } from "../config/resolved.ts";
import type { Random } from "../runtime/random.ts";
import { seededRandom } from "../runtime/seeded-random.ts";
import { VirtualClock } from "../runtime/virtual-clock.ts";
import { applyStep } from "./apply-step.ts";
import { type Arrivals, GeneratedArrivals, ListedArrivals } from "./arrivals.ts";
import { EventLog } from "./event-log.ts";
import { ModelRegistry } from "./model-registry.ts";
import { Counts, PoolRecord } from "./report/pool-record.ts";
import type { SimulationReport } from "./report/report.ts";
import { round } from "./report/samples.ts";
import { SimulatedProxy } from "./simulated-proxy.ts";
import { SimulatedRequest } from "./simulated-request.ts";
import type { ResolvedRequest, ResolvedTrace } from "./trace/resolved-trace.ts";

/** One simulation, from its start to its report. */
export class Simulation {
  readonly #seed: number;
  readonly #trace: ResolvedTrace;
  readonly #clock = new VirtualClock();
  readonly #proxies: readonly SimulatedProxy[];
  /** Which proxy gets a request. */
  readonly #spread: Random;
  readonly #arrivals: Arrivals;
  readonly #models: ModelRegistry;
  /** By the name of the pool. */
  readonly #records = new Map<string, PoolRecord>();
  readonly #refused = new Counts();
  readonly #log = new EventLog(this.#clock);
  /** The time of the last possible request or the last step of the script. */
  readonly #endsAt: number;
  #requests = 0;
  #open = 0;
  #slotAt = 0;

  constructor(options: ResolvedOptions, trace: ResolvedTrace, { seed, workers }: { seed: number; workers: number }) {
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
    this.#proxies = Array.from({ length: workers }, () => {
      return new SimulatedProxy(options, { clock: this.#clock, random: nextRandom() }, this.#models);
    });
    this.#spread = nextRandom();
    this.#endsAt = Math.max(this.#arrivals.endsAt, trace.script.at(-1)?.atMs ?? 0);
    for (const name of options.pools.keys()) {
      const managed = this.#proxies.flatMap(({ pools }) => pools.get(name) ?? []);
      const pools = managed.map(({ pool }) => pool);
      const record = new PoolRecord(name, managed[0]?.balancer.policy.name ?? "", pools);
      this.#records.set(name, record);
      this.#log.follow(pools, record);
    }
  }

  /** Whether promises must settle before time advances. Returns true once. */
  takeUnsettled(): boolean {
    return this.#models.takeProbed();
  }

  get progress(): number {
    return this.#endsAt === 0 ? 1 : Math.min(1, this.#clock.now() / this.#endsAt);
  }

  start(): void {
    const target = { proxies: this.#proxies, models: this.#models, arrivals: this.#arrivals, log: this.#log };
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
    const { router, runtime } = this.#choose();
    const routed = router.route(request);
    if (typeof routed === "string") return this.#refused.add(routed);
    const { pool, balancer, keyOf } = routed.route;
    this.#open++;
    new SimulatedRequest({
      pool,
      balancer,
      runtime,
      record: this.#records.get(pool.name) as PoolRecord,
      method: request.method,
      key: request.key ?? keyOf?.(routed),
      modelOf: ({ id }) => this.#models.of(pool.name, id),
      onEnded: () => void this.#open--,
    }).start();
  }

  /** Each request is one of an independent client. */
  #choose(): SimulatedProxy {
    const index = this.#proxies.length === 1 ? 0 : Math.floor(this.#spread() * this.#proxies.length);
    return this.#proxies[index] as SimulatedProxy;
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
