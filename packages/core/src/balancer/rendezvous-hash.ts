/**
 * Weighted rendezvous hashing: each upstream has a score for the key, and the highest score is picked.
 *
 * The score is w / -ln(u), where u is a hash of the upstream's id and the key in (0, 1). So an upstream wins a share of the
 * keys that equals its share of the weights. There is no other state, so all processes agree. When an upstream leaves, only
 * its own keys move, and they spread over the others by weight. Linear in the number of candidates. The logarithm is
 * computed for a few of them only: w / (1 - u) is an upper bound of the score, and the first bits of u approximate it.
 *
 * With a balance factor, an upstream with more than that multiple of its share of the requests in flight is passed over for
 * the upstream with the next score (bounded loads, as HAProxy's hash-balance-factor), so that a hot key cannot overload its
 * upstream. Without it, a key keeps its upstream at any load. A request without a key is placed at random, by weight.
 */

import type { Candidate, PickContext, Policy, Weighed } from "../policy.ts";
import { formatNumber } from "./format-number.ts";
import { combineHashes, combineUpperBits, type Hash64, hash64 } from "./stable-hash.ts";
import { sharesByWeight } from "./weight-share.ts";
import { oncePerList, WeightedList } from "./weighted-list.ts";

export class RendezvousHash implements Policy {
  readonly name = "hash";
  readonly #hashes = new HashedIds();
  readonly #hashed = oncePerList((candidates) => new HashedList(candidates, this.#hashes));
  readonly #factor: number;

  /** `balanceFactor` is 0 (no bound) or at least 1. */
  constructor(balanceFactor = 0) {
    this.#factor = balanceFactor;
  }

  pick({ candidates, key, random }: PickContext): Candidate {
    const list = this.#hashed(candidates);
    if (key === undefined) return candidates[list.weighted.draw(random)] as Candidate;
    const keyHash = hash64(key);
    const best = list.highest(keyHash, Infinity) as Candidate;
    // An idle upstream always has room for one request.
    if (this.#factor === 0 || best.inFlight === 0) return best;
    const allowed = allowedPerWeight(list.weighted, this.#factor, best);
    return hasRoom(best, allowed) ? best : (list.highest(keyHash, allowed) ?? best);
  }

  weigh(context: PickContext): readonly Weighed[] {
    const { candidates, key } = context;
    if (key === undefined) return sharesByWeight(candidates);
    const list = this.#hashed(candidates);
    const keyHash = hash64(key);
    const allowed = this.#factor === 0 ? Infinity : allowedPerWeight(list.weighted, this.#factor);
    const picked = this.pick(context);
    return candidates.map((upstream, index) => {
      const { inFlight, effectiveWeight } = upstream;
      const score = formatNumber(list.score(index, keyHash));
      const most = Math.ceil(allowed * effectiveWeight);
      const load = hasRoom(upstream, allowed) ? "" : `, passed over with ${inFlight} of ${most} in flight`;
      return { chance: upstream === picked ? 1 : 0, because: `score ${score} for this key${load}` };
    });
  }
}

/** Caches the hashes of ids by slot, so that a changed list hashes new ids only. */
class HashedIds {
  readonly #known: { readonly id: string; readonly hash: Hash64 }[] = [];

  of({ id, slot }: Candidate): Hash64 {
    let known = this.#known[slot];
    if (known?.id !== id) {
      known = { id, hash: hash64(id) };
      this.#known[slot] = known;
    }
    return known.hash;
  }
}

/** Candidates with the hashes of their ids in typed arrays. */
class HashedList {
  readonly weighted: WeightedList;
  readonly #highs: Int32Array;
  readonly #lows: Int32Array;

  constructor(candidates: readonly Candidate[], ids: HashedIds) {
    const hashes = candidates.map((candidate) => ids.of(candidate));
    this.weighted = new WeightedList(candidates);
    this.#highs = Int32Array.from(hashes, ({ high }) => high);
    this.#lows = Int32Array.from(hashes, ({ low }) => low);
  }

  /** Returns the candidate with the highest score for a key among those with room. */
  highest({ high, low }: Hash64, allowed: number): Candidate | undefined {
    const { candidates, weights } = this.weighted;
    const highs = this.#highs;
    const lows = this.#lows;
    let best: Candidate | undefined;
    let bestScore = 0;
    for (let index = 0; index < weights.length; index++) {
      const weight = weights[index] as number;
      const upper = combineUpperBits(highs[index] as number, lows[index] as number, high, low);
      if (weight <= (bestScore / 2 ** 32) * (2 ** 32 - 1 - upper)) continue;
      const score = scoreOf(weight, combineHashes(highs[index] as number, lows[index] as number, high, low));
      if (score <= bestScore) continue;
      const upstream = candidates[index] as Candidate;
      if (!hasRoom(upstream, allowed)) continue;
      best = upstream;
      bestScore = score;
    }
    return best;
  }

  score(index: number, { high, low }: Hash64): number {
    const unit = combineHashes(this.#highs[index] as number, this.#lows[index] as number, high, low);
    return scoreOf(this.weighted.weights[index] as number, unit);
  }
}

function hasRoom({ inFlight, effectiveWeight }: Candidate, allowed: number): boolean {
  return inFlight < allowed * effectiveWeight;
}

/**
 * The bound of requests in flight per unit of weight, including the request to be placed. With `preferred`, counting stops
 * as soon as the bound is high enough for that candidate to take one more.
 */
function allowedPerWeight({ candidates, total }: WeightedList, factor: number, preferred?: Candidate): number {
  const enough = preferred && (preferred.inFlight * total) / (factor * preferred.effectiveWeight);
  let inFlight = 0;
  for (const upstream of candidates) {
    inFlight += upstream.inFlight;
    if (enough !== undefined && inFlight >= enough) break;
  }
  return ((inFlight + 1) * factor) / total;
}

function scoreOf(weight: number, unit: number): number {
  return weight / -Math.log(unit);
}
