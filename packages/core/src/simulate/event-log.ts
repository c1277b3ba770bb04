import type { PoolEvents } from "../events.ts";
import type { Pool } from "../pool/pool.ts";
import type { Clock } from "../runtime/clock.ts";
import type { PoolRecord } from "./report/pool-record.ts";
import type { SimulationEvent } from "./report/report.ts";
import { round } from "./report/samples.ts";

type PoolEventName = Exclude<SimulationEvent["event"], "script">;

type Listeners = { readonly [Name in PoolEventName]: (...args: PoolEvents[Name]) => void };

const maxEvents = 10_000;

/** Records the events of upstreams, in order. */
export class EventLog {
  readonly events: SimulationEvent[] = [];
  leftOut = 0;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Records the events of a pool of each proxy from now on. */
  follow(pools: readonly Pool[], record: PoolRecord): void {
    for (const [index, pool] of pools.entries()) {
      const listeners = this.#listenersOf(pool.name, record, pools.length === 1 ? undefined : index + 1);
      const listen = <Name extends PoolEventName>(name: Name) => pool.on(name, listeners[name]);
      for (const name of Object.keys(listeners) as PoolEventName[]) listen(name);
    }
  }

  add(pool: string, upstream: string, event: SimulationEvent["event"], text: string, worker?: number): void {
    if (this.events.length >= maxEvents) this.leftOut++;
    else
      this.events.push({
        at: round(this.#clock.now()),
        pool,
        upstream,
        ...(worker !== undefined && { worker }),
        event,
        text,
      });
  }

  #listenersOf(pool: string, record: PoolRecord, worker: number | undefined): Listeners {
    const add = (upstream: string, event: PoolEventName, text: string) => this.add(pool, upstream, event, text, worker);
    return {
      health: ({ upstream, to, reason }) => {
        record.of(upstream).healthChanges++;
        add(upstream, "health", `${to}: ${reason}`);
      },
      eject: ({ upstream, reason, forMs }) => {
        record.of(upstream).ejections++;
        add(upstream, "eject", `${reason}, for ${Math.round(forMs / 100) / 10} s`);
      },
      readmit: ({ upstream, reason }) => add(upstream, "readmit", `by ${reason}`),
      weight: ({ upstream, from, to, reason, detail }) => {
        const why = detail === undefined ? reason : `${reason}, ${detail}`;
        add(upstream, "weight", `${round(from)} -> ${round(to)}: ${why}`);
      },
      state: ({ upstream, to }) => add(upstream, "state", to),
      member: ({ upstream, change }) => add(upstream, "member", change),
    };
  }
}
