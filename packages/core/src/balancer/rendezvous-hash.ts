/**
 * Weighted rendezvous hashing with bounded loads: every upstream has a score for the key, and the highest wins.
 *
 * An upstream's score is w / -ln(u), where u is drawn by a hash of its id and the key: the chance to win is its share of
 * the weights. Nothing is kept, so every process agrees; whoever goes takes only its own keys along, and they spread
 * over the others by weight. Linear in the number of candidates; the logarithm is taken only for a few of them, since
 * w / (1 - u) is never less than the score.
 *
 * An upstream that carries more than 1.5 times its share of what is in flight is passed over for the key's next in order
 * (Envoy's bounded loads), so that one hot key cannot bury the upstream it belongs to. A request without a key goes
 * anywhere, by weight.
 */

import { limits } from "../config/defaults.ts";
import type { Candidate, PickContext, Policy, Weighed } from "../policy.ts";
import { drawByWeight, weighByWeight } from "./by-weight.ts";
import { figure } from "./figure.ts";
import { type Hash64, HashList, hash64 } from "./stable-hash.ts";

export class RendezvousHash implements Policy {
  readonly name = "hash";
  /** The list that was last picked from, and the hashes of its ids in the same order. A pool replaces its lists whole. */
  #known: readonly Candidate[] = [];
  #ids: HashList = new HashList([]);

  pick({ candidates, key, random }: PickContext): Candidate {
    if (key === undefined) return drawByWeight(candidates, random);
    const keyHash = hash64(key);
    const ids = this.#idsOf(candidates);
    const first = highest(candidates, ids, keyHash, Infinity);
    if (first === undefined) return drawByWeight(candidates, random);
    const allowed = allowedPerWeight(candidates);
    if (mayTake(first, allowed)) return first;
    return highest(candidates, ids, keyHash, allowed) ?? drawByWeight(candidates, random);
  }

  weigh(context: PickContext): readonly Weighed[] {
    const { candidates, key } = context;
    if (key === undefined) return weighByWeight(candidates);
    const keyHash = hash64(key);
    const ids = this.#idsOf(candidates);
    const allowed = allowedPerWeight(candidates);
    const picked = this.pick(context);
    return candidates.map((upstream, index) => {
      const { inFlight, effectiveWeight } = upstream;
      const score = figure(effectiveWeight / -Math.log(ids.unitWith(index, keyHash)));
      const most = Math.ceil(allowed * effectiveWeight);
      const load = mayTake(upstream, allowed) ? "" : `, passed over with ${inFlight} of ${most} in flight`;
      return { chance: upstream === picked ? 1 : 0, because: `score ${score} for this key${load}` };
    });
  }

  #idsOf(candidates: readonly Candidate[]): HashList {
    if (candidates !== this.#known) {
      this.#ids = new HashList(candidates.map(({ id }) => id));
      this.#known = candidates;
    }
    return this.#ids;
  }
}

/** The candidate with the highest score of those that may take one more. */
function highest(
  candidates: readonly Candidate[],
  ids: HashList,
  keyHash: Hash64,
  allowed: number,
): Candidate | undefined {
  let best: Candidate | undefined;
  let bestScore = 0;
  let index = 0;
  for (const upstream of candidates) {
    const weight = upstream.effectiveWeight;
    const unit = ids.unitWith(index++, keyHash);
    if (weight <= bestScore * (1 - unit)) continue;
    const score = weight / -Math.log(unit);
    if (score <= bestScore || !mayTake(upstream, allowed)) continue;
    best = upstream;
    bestScore = score;
  }
  return best;
}

function mayTake({ inFlight, effectiveWeight }: Candidate, allowed: number): boolean {
  return inFlight < Math.ceil(allowed * effectiveWeight);
}

/** How many requests in flight each unit of weight may have, the one to be placed counted in. */
function allowedPerWeight(candidates: readonly Candidate[]): number {
  let inFlight = 0;
  let weight = 0;
  for (const upstream of candidates) {
    inFlight += upstream.inFlight;
    weight += upstream.effectiveWeight;
  }
  return ((inFlight + 1) * limits.hashLoadFactor) / weight;
}
