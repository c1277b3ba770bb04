import type { Health } from "../events.ts";

/**
 * Turns single results into a verdict: so many in a row against the present one overturn it (HAProxy's rise and
 * fall). The first verdict is easier to win than to lose: one success makes it healthy, failures have to add up.
 */
export class Threshold {
  readonly #rise: number;
  readonly #fall: number;
  #health: Health;
  /** Results in a row that speak against the verdict. */
  #streak = 0;

  /** Goes on from `health`: a verdict that was reached before is not thrown away. */
  constructor({ healthyThreshold, unhealthyThreshold }: ThresholdOptions, health: Health = "unknown") {
    this.#rise = healthyThreshold;
    this.#fall = unhealthyThreshold;
    this.#health = health;
  }

  get health(): Health {
    return this.#health;
  }

  /** There is no verdict yet, or the last result spoke against it: worth a closer look. */
  get wavering(): boolean {
    return this.#health === "unknown" || this.#streak > 0;
  }

  /** Takes one result in, and returns whether it changed the verdict. */
  record(success: boolean): boolean {
    const health = success ? "healthy" : "unhealthy";
    if (health === this.#health) {
      this.#streak = 0;
      return false;
    }
    const needed = !success ? this.#fall : this.#health === "unknown" ? 1 : this.#rise;
    if (++this.#streak < needed) return false;
    this.#health = health;
    this.#streak = 0;
    return true;
  }
}

interface ThresholdOptions {
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
}
