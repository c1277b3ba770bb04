import type { Weighed } from "../policy.ts";
import { figure } from "./format-number.ts";
import type { WeightedList } from "./weighted-list.ts";

/**
 * nginx's smooth weighted round robin, among all of a list or some of it.
 *
 * At each turn the counter of everybody who takes part grows by its weight, the largest counter is picked, and the total
 * of the weights is taken off it. Weights 5, 1, 1 give a a b a c a a, and the counters are back at zero. A weight that
 * changes keeps its counter, but no counter is further from zero than two rounds, which an unchanged set never reaches:
 * else 256:256 that becomes 1:1 would send one upstream hundreds of requests in a row to even out the last of the old
 * weights.
 */
export class SmoothTurns {
  /** By slot. */
  #counters = new Float64Array(0);

  /** Takes a turn among those with these indices in the list, and returns the index of the one whose it is. */
  take(list: WeightedList, among: readonly number[]): number {
    const { slots, weights } = list;
    const counters = this.#countersFor(list);
    const total = totalOf(weights, among);
    const bound = 2 * total;
    let next = 0;
    let nextCounter = -Infinity;
    for (const index of among) {
      const slot = slots[index] as number;
      const counter = within(bound, counters[slot] as number) + (weights[index] as number);
      counters[slot] = counter;
      if (counter <= nextCounter) continue;
      next = index;
      nextCounter = counter;
    }
    counters[slots[next] as number] = nextCounter - total;
    return next;
  }

  /** The counters that the next turn is decided by, in the order of `among`. Changes nothing. */
  ahead(list: WeightedList, among: readonly number[]): number[] {
    const { slots, weights } = list;
    const counters = this.#countersFor(list);
    const bound = 2 * totalOf(weights, among);
    return among.map((index) => within(bound, counters[slots[index] as number] as number) + (weights[index] as number));
  }

  #countersFor({ slotsEnd }: WeightedList): Float64Array {
    if (slotsEnd > this.#counters.length) {
      const grown = new Float64Array(2 * slotsEnd);
      grown.set(this.#counters);
      this.#counters = grown;
    }
    return this.#counters;
  }
}

/** Whose turn it is is certain. */
export function weighTurns(counters: readonly number[]): Weighed[] {
  const next = counters.indexOf(Math.max(...counters));
  const ahead = figure(counters[next] as number);
  return counters.map((counter, index) => ({
    chance: index === next ? 1 : 0,
    because: `counter ${figure(counter)}, ${index === next ? "its turn" : `behind ${ahead}`}`,
  }));
}

function totalOf(weights: Float64Array, among: readonly number[]): number {
  let total = 0;
  for (const index of among) total += weights[index] as number;
  return total;
}

function within(bound: number, counter: number): number {
  return Math.max(-bound, Math.min(bound, counter));
}
