import { type Clock, systemClock } from "./clock.ts";
import { type Random, systemRandom } from "./random.ts";

/** Time and chance, handed to everything that needs them, so that tests can own both. */
export interface Runtime {
  readonly clock: Clock;
  readonly random: Random;
}

export const systemRuntime: Runtime = { clock: systemClock, random: systemRandom };

/** Fills what is left out with the machine's own. */
export function resolveRuntime(runtime: Partial<Runtime> = {}): Runtime {
  const { clock = systemClock, random = systemRandom } = runtime;
  return { clock, random };
}
