import type { Candidate } from "../policy.ts";
import type { Random } from "../runtime/random.ts";

/**
 * Candidates with the numbers that policies read at each pick in typed arrays. With many upstreams memory access dominates:
 * a walk from object to object takes several times as long.
 */
export class WeightedList {
  readonly candidates: readonly Candidate[];
  readonly weights: Float64Array;
  readonly slots: Int32Array;
  /** The highest slot plus one. */
  readonly slotsEnd: number;
  readonly total: number;
  /** Cumulative weights. */
  readonly #ends: Float64Array;

  constructor(candidates: readonly Candidate[]) {
    const { length } = candidates;
    this.candidates = candidates;
    this.weights = new Float64Array(length);
    this.slots = new Int32Array(length);
    this.#ends = new Float64Array(length);
    let slotsEnd = 0;
    let total = 0;
    for (let index = 0; index < length; index++) {
      const { effectiveWeight, slot } = candidates[index] as Candidate;
      total += effectiveWeight;
      this.weights[index] = effectiveWeight;
      this.slots[index] = slot;
      slotsEnd = Math.max(slotsEnd, slot + 1);
      this.#ends[index] = total;
    }
    this.slotsEnd = slotsEnd;
    this.total = total;
  }

  /** Draws the index of a candidate in proportion to the weights. */
  draw(random: Random): number {
    return this.#at(random() * this.total);
  }

  /** Draws another index than `first`, in proportion to the weights. Needs at least two candidates. */
  drawAnother(random: Random, first: number): number {
    const weight = this.weights[first] as number;
    const point = random() * (this.total - weight);
    const before = first === 0 ? 0 : (this.#ends[first - 1] as number);
    const index = point < before ? this.#at(point) : this.#at(point + weight);
    // Rounding can yield `first` again, but only when it is the last index.
    return index === first ? first - 1 : index;
  }

  /** The first index whose cumulative weight exceeds the point; the last one if rounding has put the point outside. */
  #at(point: number): number {
    let low = 0;
    let high = this.#ends.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ends[middle] as number) > point) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/**
 * Caches a value derived from a list of candidates. A pool replaces the list whenever a member or a weight changes. The value
 * of the previous list is kept too, since a retry asks with another list in between.
 */
export function oncePerList<Made>(
  make: (candidates: readonly Candidate[]) => Made,
): (candidates: readonly Candidate[]) => Made {
  interface Known {
    readonly candidates: readonly Candidate[];
    readonly made: Made;
  }
  let last: Known | undefined;
  let before: Known | undefined;
  return (candidates) => {
    if (last?.candidates === candidates) return last.made;
    const known = before?.candidates === candidates ? before : { candidates, made: make(candidates) };
    before = last;
    last = known;
    return known.made;
  };
}

/** Caches the `WeightedList` of a list of candidates. */
export function weightedLists(): (candidates: readonly Candidate[]) => WeightedList {
  return oncePerList((candidates) => new WeightedList(candidates));
}
