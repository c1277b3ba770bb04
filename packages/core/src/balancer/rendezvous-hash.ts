/**
 * Weighted rendezvous hashing: every upstream has a score for the key, and the highest wins.
 *
 * An upstream's score is w / -ln(u), where u is drawn by a hash of its id and the key: the chance to win is its share of
 * the weights. Nothing is kept but the hashes of the ids, so every process agrees; whoever goes takes only its own keys
 * along, and they spread over the others by weight. Linear in the number of candidates; the logarithm is taken only for a
 * few of them, since w / (1 - u) is never less than the score, and the first bits of u tell enough of it.
 *
 * With a balance factor, an upstream that has more than that multiple of its share of the requests in flight is passed over
 * for the key's next in order (bounded loads, as HAProxy's hash-balance-factor), so that one hot key cannot overload its
 * upstream. Without one, a key keeps its upstream whatever the load. A request without a key goes anywhere, by weight.
 */

import type { Candidate, PickContext, Policy, Weighed } from "../policy.ts";
import { figure } from "./format-number.ts";
import { type Hash64, hash64, unitOf, upperBits } from "./stable-hash.ts";
import { weighByWeight } from "./weight-share.ts";
import { oncePerList, WeightedList } from "./weighted-list.ts";

export class RendezvousHash implements Policy {
  readonly name = "hash";
  readonly #hashes = new HashedIds();
  readonly #hashed = oncePerList((candidates) => new HashedList(candidates, this.#hashes));
  readonly #factor: number;

  /** `balanceFactor` is 0 for no bound, or at least 1. */
  constructor(balanceFactor = 0) {
    this.#factor = balanceFactor;
  }

  pick({ candidates, key, random }: PickContext): Candidate {
    const list = this.#hashed(candidates);
    if (key === undefined) return candidates[list.weighted.draw(random)] as Candidate;
    const keyHash = hash64(key);
    const best = list.highest(keyHash, Infinity) as Candidate;
    // An idle upstream may take one request, whatever the others have in flight.
    if (this.#factor === 0 || best.inFlight === 0) return best;
    const allowed = allowedPerWeight(list.weighted, this.#factor, best);
    return mayTake(best, allowed) ? best : (list.highest(keyHash, allowed) ?? best);
  }

  weigh(context: PickContext): readonly Weighed[] {
    const { candidates, key } = context;
    if (key === undefined) return weighByWeight(candidates);
    const list = this.#hashed(candidates);
    const keyHash = hash64(key);
    const allowed = this.#factor === 0 ? Infinity : allowedPerWeight(list.weighted, this.#factor);
    const picked = this.pick(context);
    return candidates.map((upstream, index) => {
      const { inFlight, effectiveWeight } = upstream;
      const score = figure(list.score(index, keyHash));
      const most = Math.ceil(allowed * effectiveWeight);
      const load = mayTake(upstream, allowed) ? "" : `, passed over with ${inFlight} of ${most} in flight`;
      return { chance: upstream === picked ? 1 : 0, because: `score ${score} for this key${load}` };
    });
  }
}

/** The hashes of ids by slot: a list that differs in a weight or a member is no reason to hash the others again. */
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

/** Candidates with the hashes of their ids, side by side. */
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

  /** The highest score for a key among those that may take one more. */
  highest({ high, low }: Hash64, allowed: number): Candidate | undefined {
    const { candidates, weights } = this.weighted;
    const highs = this.#highs;
    const lows = this.#lows;
    let best: Candidate | undefined;
    let bestScore = 0;
    for (let index = 0; index < weights.length; index++) {
      const weight = weights[index] as number;
      const upper = upperBits(highs[index] as number, lows[index] as number, high, low);
      if (weight <= (bestScore / 2 ** 32) * (2 ** 32 - 1 - upper)) continue;
      const score = scoreOf(weight, unitOf(highs[index] as number, lows[index] as number, high, low));
      if (score <= bestScore) continue;
      const upstream = candidates[index] as Candidate;
      if (!mayTake(upstream, allowed)) continue;
      best = upstream;
      bestScore = score;
    }
    return best;
  }

  score(index: number, { high, low }: Hash64): number {
    const unit = unitOf(this.#highs[index] as number, this.#lows[index] as number, high, low);
    return scoreOf(this.weighted.weights[index] as number, unit);
  }
}

function mayTake({ inFlight, effectiveWeight }: Candidate, allowed: number): boolean {
  return inFlight < allowed * effectiveWeight;
}

/**
 * How many requests in flight each unit of weight may have, the one to be placed included; or less, but enough for the
 * given candidate to take one more.
 */
function allowedPerWeight({ candidates, total }: WeightedList, factor: number, favourite?: Candidate): number {
  const enough = favourite && (favourite.inFlight * total) / (factor * favourite.effectiveWeight);
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
