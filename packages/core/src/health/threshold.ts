import type { Health } from "../events.ts";

/**
 * Derives a verdict from single results. A number of consecutive results against the verdict changes it (rise and fall in
 * HAProxy). For the first verdict, one success is enough, but failures need the whole number.
 */
export class Threshold {
  readonly #rise: number;
  readonly #fall: number;
  #health: Health;
  /** The consecutive results against the verdict. */
  #streak = 0;

  /** `health` is the last known verdict. */
  constructor({ healthyThreshold, unhealthyThreshold }: ThresholdOptions, health: Health = "unknown") {
    this.#rise = healthyThreshold;
    this.#fall = unhealthyThreshold;
    this.#health = health;
  }

  get health(): Health {
    return this.#health;
  }

  /** There is no verdict yet, or the last result was against it. Then probes use the fast interval. */
  get undecided(): boolean {
    return this.#health === "unknown" || this.#streak > 0;
  }

  /** Records a result. Returns true if it has changed the verdict. */
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
