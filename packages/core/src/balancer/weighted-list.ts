import type { Candidate } from "../policy.ts";
import type { Random } from "../runtime/random.ts";

/**
 * Candidates, and side by side what policies read of all of them at each pick: with many upstreams it is the memory that
 * takes the time, and a walk from object to object takes several times as long.
 */
export class WeightedList {
  readonly candidates: readonly Candidate[];
  readonly weights: Float64Array;
  readonly slots: Int32Array;
  /** One more than the highest slot. */
  readonly slotsEnd: number;
  readonly total: number;
  /** Where each candidate's share of the total ends; it begins where that of the one before ends. */
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

  /** Draws the index of a candidate with a probability in proportion to its weight. */
  draw(random: Random): number {
    return this.#at(random() * this.total);
  }

  /** Draws another than the first by weight. There have to be two at least. */
  drawAnother(random: Random, first: number): number {
    const weight = this.weights[first] as number;
    const point = random() * (this.total - weight);
    const before = first === 0 ? 0 : (this.#ends[first - 1] as number);
    const index = point < before ? this.#at(point) : this.#at(point + weight);
    // It is the first only when that is the last as well, and the difference was rounded up.
    return index === first ? first - 1 : index;
  }

  /** The first whose share ends beyond the point; the last one when rounding has put the point outside. */
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
 * What is made of a list of candidates, made once for as long as the list stays the same. A pool gives out another list
 * whenever a member or a weight is not what it was. That of the list before is kept as well: a request that tries again asks
 * with a list of its own in between.
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

/** For a policy that needs nothing else of a list. */
export function weightedLists(): (candidates: readonly Candidate[]) => WeightedList {
  return oncePerList((candidates) => new WeightedList(candidates));
}
