import type { Pool } from "../pool/pool.ts";
import type { Arrivals } from "./arrivals.ts";
import type { EventLog } from "./event-log.ts";
import type { ModelRegistry } from "./model-registry.ts";
import type { SimulatedProxy } from "./simulated-proxy.ts";
import type { ResolvedStep } from "./trace/resolved-trace.ts";

/** The objects that a script changes. */
export interface ScriptTarget {
  readonly proxies: readonly SimulatedProxy[];
  readonly models: ModelRegistry;
  readonly arrivals: Arrivals;
  readonly log: EventLog;
}

/** Applies a step of the script. Changes of an upstream that has left its pool are ignored. */
export function applyStep(step: ResolvedStep, { proxies, models, arrivals, log }: ScriptTarget): void {
  const { name, rate, slower, down, failures } = step;
  if (rate !== undefined) {
    arrivals.setRate(rate);
    log.add("", "", "script", `${rate} requests per second`);
  }
  if (name === undefined) return;
  const { id } = name;
  const note = (text: string) => log.add(name.pool, id, "script", text);
  const model = models.of(name.pool, id);
  if (slower !== undefined) {
    model.slower = slower;
    note(`latency times ${slower}`);
  }
  if (failures !== undefined) {
    model.failures = failures;
    note(`failures: ${failures.map(({ how, share }) => `${share * 100} % ${how}`).join(", ") || "none"}`);
  }
  if (down !== undefined) {
    model.down = down;
    note(down ? "goes down" : "is up again");
  }
  for (const { pools } of proxies) applyToPool(step, id, pools.get(name.pool)?.pool);
}

function applyToPool({ weight, state, join, leave }: ResolvedStep, id: string, pool: Pool | undefined): void {
  if (join !== undefined && pool?.get(id) === undefined) pool?.add(join);
  if (pool?.get(id) === undefined) return;
  if (weight !== undefined) pool.setWeight(id, weight);
  if (state !== undefined) pool.setState(id, state);
  if (leave) pool.remove(id);
}
