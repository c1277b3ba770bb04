import { type Clock, systemClock } from "./clock.ts";
import { type Random, systemRandom } from "./random.ts";

/** The clock and the random source. They are always injected, so that tests control both. */
export interface Runtime {
  readonly clock: Clock;
  readonly random: Random;
}

export const systemRuntime: Runtime = { clock: systemClock, random: systemRandom };

/** Fills in the system's clock and random source for those left out. */
export function resolveRuntime(runtime: Partial<Runtime> = {}): Runtime {
  const { clock = systemClock, random = systemRandom } = runtime;
  return { clock, random };
}
