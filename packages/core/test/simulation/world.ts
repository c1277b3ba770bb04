import { Balancer } from "../../src/balancer/balancer.ts";
import type { PolicyName } from "../../src/config/options.ts";
import { OutlierDetector } from "../../src/health/outlier-detector.ts";
import { WeightFeedback } from "../../src/health/weight-feedback.ts";
import { Pool } from "../../src/pool/pool.ts";
import type { Upstream } from "../../src/pool/upstream.ts";
import type { Random } from "../../src/runtime/random.ts";
import { seededRandom } from "../../src/runtime/seeded-random.ts";
import { VirtualClock } from "../../src/runtime/virtual-clock.ts";
import { Books } from "./books.ts";
import { Client, type ClientHost } from "./client.ts";
import { checkPick, checkRest } from "./invariants.ts";
import { TraceHash } from "./trace-hash.ts";

/** The behaviour of an upstream; storms change it. */
export interface Behaviour {
  latencyMs: number;
  /** Share of requests that fail, by a reset or a status. */
  failing: number;
  /** It refuses connections. */
  dead: boolean;
}

const maxMembers = 8;
const wellBehaved: Readonly<Behaviour> = { latencyMs: 10, failing: 0, dead: false };

/**
 * A pool with balancer, outlier detection and weight feedback, its clients, and every event that can change it, on virtual
 * time with a seeded random source. Keeps its own books, and checks the pool against them at every step.
 */
export class World implements ClientHost {
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly pool: Pool;
  readonly balancer: Balancer;
  readonly trace = new TraceHash();
  readonly books = new Books();
  readonly clients = new Set<Client>();
  /** In queue order. */
  readonly waiting = new Set<Client>();
  readonly ended = { responded: 0, failed: 0, overflowed: 0, unavailable: 0, left: 0 };
  readonly picks = new Map<string, number>();
  ejections = 0;
  steps = 0;
  arrivals = 0;
  readonly #behaviours = new Map<Upstream, Behaviour>();
  readonly #detector: OutlierDetector;
  readonly #feedback: WeightFeedback;
  #joined = 0;
  #stormy = false;

  constructor(policy: PolicyName, panic: "use-all" | "fail", seed: number) {
    this.random = seededRandom(seed);
    const runtime = { clock: this.clock, random: this.random };
    const settings = {
      balance: policy,
      panic,
      queue: { max: 20, timeout: "2s" },
      outlierDetection: { baseEjectionTime: "3s", maxEjectionTime: "20s" },
      slowStart: { window: "10s" },
      weights: { interval: "5s" },
    };
    this.pool = new Pool("api", settings, runtime);
    this.balancer = new Balancer(this.pool, {}, runtime);
    this.#detector = new OutlierDetector(this.pool, undefined, runtime);
    this.#feedback = new WeightFeedback(this.pool, this.pool.options.weights ?? never(), runtime);
    this.#detector.start();
    this.#feedback.start();
    this.pool.on("eject", ({ upstream }) => {
      this.ejections++;
      this.trace.add("eject", upstream);
    });
    this.pool.on("readmit", ({ upstream }) => this.trace.add("readmit", upstream));
    for (let member = 0; member < 5; member++) this.#join();
  }

  behaviourOf(upstream: Upstream): Behaviour {
    return this.#behaviours.get(upstream) ?? wellBehaved;
  }

  /** Milliseconds that the tunnel of a response stays open; 0 for no tunnel. Tunnels open in storms only. */
  tunnelMs(): number {
    return this.#stormy && this.random() < 0.05 ? 1 + this.random() * 400 : 0;
  }

  /** Makes random changes, one at a time, under heavy load. */
  storm(steps: number): void {
    this.#stormy = true;
    for (let left = steps; left > 0; left--) {
      this.steps++;
      if (this.random() < 0.97) this.#arrive(this.random() * 8);
      else this.#change();
      checkRest(this);
    }
    this.#stormy = false;
  }

  /** All upstreams behave well, and requests do not overlap. */
  calm(steps: number): void {
    for (let left = steps; left > 0; left--) {
      this.steps++;
      this.#arrive(30 + this.random() * 40);
      checkRest(this);
    }
  }

  /** Reverts the changes of storms, except for effects that only time removes. */
  heal(): void {
    for (const upstream of this.pool.upstreams) {
      this.#behaviours.set(upstream, { ...wellBehaved });
      this.pool.setState(upstream.id, "active");
      this.pool.setHealth(upstream, "healthy", "status 200");
      if (upstream.weight === 0) this.pool.setWeight(upstream.id, 1);
    }
  }

  /** Waits until all requests have ended, then stops the watchers of the pool. */
  end(): void {
    this.clock.advance(60_000);
    this.#detector.stop();
    this.#feedback.stop("withdraw");
  }

  onPicked(upstream: Upstream, tried: readonly Upstream[]): void {
    checkPick(this, upstream, tried);
    this.picks.set(upstream.id, (this.picks.get(upstream.id) ?? 0) + 1);
    this.trace.add("pick", upstream.id);
  }

  onEnd(client: Client, how: keyof World["ended"]): void {
    this.clients.delete(client);
    this.ended[how]++;
    this.trace.add(how, "");
  }

  #arrive(afterMs: number): void {
    this.clock.advance(afterMs);
    this.arrivals++;
    const client = new Client(this, `key-${Math.floor(this.random() * 1_000)}`);
    this.clients.add(client);
    client.send();
  }

  #change(): void {
    const { pool, random } = this;
    const upstream = pool.upstreams[Math.floor(random() * pool.upstreams.length)];
    if (upstream === undefined) return this.#join();
    const { id } = upstream;
    const behaviour = this.behaviourOf(upstream);
    const kind = Math.floor(random() * 9);
    this.trace.add(`change ${kind}`, id);
    if (kind === 0) behaviour.dead = !behaviour.dead;
    else if (kind === 1) behaviour.latencyMs = 5 * 4 ** Math.floor(random() * 5);
    else if (kind === 2) behaviour.failing = random() < 0.5 ? 0 : random();
    else if (kind === 3) pool.setWeight(id, Math.floor(random() * 10));
    else if (kind === 4)
      pool.setState(id, (["active", "active", "draining", "disabled"] as const)[Math.floor(random() * 4)] ?? never());
    else if (kind === 5)
      pool.setHealth(upstream, upstream.health === "unhealthy" ? "healthy" : "unhealthy", "status 503");
    else if (kind === 6 && pool.upstreams.length > 2) pool.remove(id);
    else if (kind === 7 && pool.upstreams.length < maxMembers) this.#join();
    else if (kind === 8) this.#loseClients();
  }

  /** Disconnects some clients that wait or are being served. */
  #loseClients(): void {
    for (const client of [...this.clients]) if (this.random() < 0.1) client.leave();
  }

  #join(): void {
    const number = this.#joined++;
    const upstream = this.pool.add({
      id: `u${number}`,
      url: `http://u${number}.internal`,
      weight: 1 + Math.floor(this.random() * 5),
      backup: number % 5 === 4,
      maxInFlight: 5 + Math.floor(this.random() * 10),
    });
    this.#behaviours.set(upstream, { ...wellBehaved });
  }
}

function never(): never {
  throw new Error("unreachable");
}
