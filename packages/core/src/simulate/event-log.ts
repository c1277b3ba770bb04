import type { Pool } from "../pool/pool.ts";
import type { Clock } from "../runtime/clock.ts";
import type { PoolRecord } from "./report/pool-record.ts";
import type { SimulationEvent } from "./report/report.ts";
import { round } from "./report/samples.ts";

const mostEvents = 10_000;

/** What happens to upstreams, in order. */
export class EventLog {
  readonly events: SimulationEvent[] = [];
  leftOut = 0;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes from now on what a pool tells. */
  follow(pool: Pool, record: PoolRecord): void {
    const { name } = pool;
    pool.on("health", ({ upstream, to, reason }) => {
      record.of(upstream).healthChanges++;
      this.add(name, upstream, "health", `${to}: ${reason}`);
    });
    pool.on("eject", ({ upstream, reason, forMs }) => {
      record.of(upstream).ejections++;
      this.add(name, upstream, "eject", `${reason}, for ${Math.round(forMs / 100) / 10} s`);
    });
    pool.on("readmit", ({ upstream, reason }) => this.add(name, upstream, "readmit", `by ${reason}`));
    pool.on("weight", ({ upstream, from, to, reason, detail }) => {
      const why = detail === undefined ? reason : `${reason}, ${detail}`;
      this.add(name, upstream, "weight", `${round(from)} -> ${round(to)}: ${why}`);
    });
    pool.on("state", ({ upstream, to }) => this.add(name, upstream, "state", to));
    pool.on("member", ({ upstream, change }) => this.add(name, upstream, "member", change));
  }

  add(pool: string, upstream: string, event: SimulationEvent["event"], text: string): void {
    if (this.events.length >= mostEvents) this.leftOut++;
    else this.events.push({ at: round(this.#clock.now()), pool, upstream, event, text });
  }
}
