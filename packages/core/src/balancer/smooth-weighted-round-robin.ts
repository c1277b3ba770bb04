import type { Weighed } from "../policy.ts";
import type { Random } from "../runtime/random.ts";
import { formatNumber } from "./format-number.ts";
import type { WeightedList } from "./weighted-list.ts";

/**
 * Smooth weighted round robin, as in nginx, over a whole list or a part of it.
 *
 * Each pick adds its weight to the counter of each participant, picks the largest counter, and subtracts the total of the
 * weights from it. Weights 5, 1, 1 give a a b a c a a, after which all counters are zero. A changed weight keeps its counter,
 * bounded to two totals on either side of zero, which unchanged weights never reach. Without the bound, a change from 256:256
 * to 1:1 would send hundreds of consecutive requests to one upstream.
 */
export class SmoothWeightedRoundRobin {
  /** By slot. */
  #counters = new Float64Array(0);
  readonly #random: Random | undefined;

  /** With `random` it starts anywhere in the sequence, and else at its beginning. */
  constructor(random?: Random) {
    this.#random = random;
  }

  /** Picks among the candidates with these indices, and returns the index picked. */
  next(list: WeightedList, among: readonly number[]): number {
    const { slots, weights } = list;
    const counters = this.#countersFor(list);
    const total = totalOf(weights, among);
    const bound = 2 * total;
    let picked = 0;
    let pickedCounter = -Infinity;
    for (const index of among) {
      const slot = slots[index] as number;
      const counter = within(bound, counters[slot] as number) + (weights[index] as number);
      counters[slot] = counter;
      if (counter <= pickedCounter) continue;
      picked = index;
      pickedCounter = counter;
    }
    counters[slots[picked] as number] = pickedCounter - total;
    return picked;
  }

  /** Returns the counters that decide the next pick, in the order of `among`. Changes nothing. */
  peek(list: WeightedList, among: readonly number[]): number[] {
    const { slots, weights } = list;
    const counters = this.#countersFor(list);
    const bound = 2 * totalOf(weights, among);
    return among.map((index) => within(bound, counters[slots[index] as number] as number) + (weights[index] as number));
  }

  #countersFor(list: WeightedList): Float64Array {
    const known = this.#counters;
    if (list.slotsEnd <= known.length) return known;
    this.#counters = new Float64Array(2 * list.slotsEnd);
    this.#counters.set(known);
    if (this.#random !== undefined) this.#startAnywhere(list, known.length, this.#random);
    return this.#counters;
  }

  #startAnywhere({ slots, weights }: WeightedList, from: number, random: Random): void {
    for (const [index, slot] of slots.entries()) {
      if (slot >= from) this.#counters[slot] = random() * (weights[index] as number);
    }
  }
}

/** The candidate with the largest counter is picked for certain. */
export function weighCounters(counters: readonly number[]): Weighed[] {
  const next = counters.indexOf(Math.max(...counters));
  const highest = formatNumber(counters[next] as number);
  return counters.map((counter, index) => ({
    chance: index === next ? 1 : 0,
    because: `counter ${formatNumber(counter)}, ${index === next ? "its turn" : `the highest is ${highest}`}`,
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
