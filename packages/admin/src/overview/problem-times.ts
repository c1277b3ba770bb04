import type { Problem } from "./overview.ts";

/**
 * Since when problems last whose beginning no snapshot has, such as errors: since the first of the samples that all have it.
 * It has as many times as the last sample has problems.
 */
export class ProblemTimes {
  #since: ReadonlyMap<string, number> = new Map();

  /** The problems of a sample, and its time in milliseconds since 1970. Others have ended. */
  record(problems: readonly Problem[], time: number): void {
    const lasting = problems.filter(({ since }) => since === null).map(keyOf);
    this.#since = new Map(lasting.map((key) => [key, this.#since.get(key) ?? time]));
  }

  /** Null before the first sample that has it. */
  sinceOf(problem: Pick<Problem, "status" | "pool" | "upstream">): number | null {
    return this.#since.get(keyOf(problem)) ?? null;
  }
}

function keyOf({ status, pool, upstream }: Pick<Problem, "status" | "pool" | "upstream">): string {
  return JSON.stringify([status, pool, upstream]);
}
