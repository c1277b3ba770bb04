import type { Pool } from "../pool/pool.ts";
import type { Arrivals } from "./arrivals.ts";
import type { EventLog } from "./event-log.ts";
import type { Models } from "./model-registry.ts";
import type { ResolvedStep } from "./trace/resolved-trace.ts";

/** What a script acts upon. */
export interface Stage {
  readonly pools: ReadonlyMap<string, { readonly pool: Pool }>;
  readonly models: Models;
  readonly arrivals: Arrivals;
  readonly log: EventLog;
}

/** Lets happen what a step says. What it asks of an upstream that has left its pool is passed over. */
export function playStep(step: ResolvedStep, { pools, models, arrivals, log }: Stage): void {
  const { place, rate, slower, down, failures, weight, state, join, leave } = step;
  if (rate !== undefined) {
    arrivals.setRate(rate);
    log.add("", "", "script", `${rate} requests a second`);
  }
  const pool = place && pools.get(place.pool)?.pool;
  if (place === undefined || pool === undefined) return;
  const { id } = place;
  const note = (text: string) => log.add(place.pool, id, "script", text);
  const model = models.of(place.pool, id);
  if (slower !== undefined) {
    model.slower = slower;
    note(`${slower} times its latency`);
  }
  if (failures !== undefined) {
    model.failures = failures;
    note(`fails ${failures.map(({ how, share }) => `${share * 100} % by ${how}`).join(", ") || "nothing"}`);
  }
  if (down !== undefined) {
    model.down = down;
    note(down ? "dies" : "is back");
  }
  if (join !== undefined && pool.get(id) === undefined) pool.add(join);
  if (pool.get(id) === undefined) return;
  if (weight !== undefined) pool.setWeight(id, weight);
  if (state !== undefined) pool.setState(id, state);
  if (leave) pool.remove(id);
}
