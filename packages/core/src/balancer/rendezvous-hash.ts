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
import { type Hash64, HashList, hash64, unitOf } from "./stable-hash.ts";

export class RendezvousHash implements Policy {
  readonly name = "hash";
  /** The list that was last picked from, and the hashes of its ids in the same order. A pool replaces its lists whole. */
  #known: readonly Candidate[] = [];
  #ids: HashList = new HashList([]);

  pick({ candidates, key, random }: PickContext): Candidate {
    if (key === undefined) return drawByWeight(candidates, random);
    const keyHash = hash64(key);
    const { highs, lows } = this.#idsOf(candidates);
    // One walk for the scores and for the loads: with many upstreams it is the memory that takes the time.
    let best: Candidate | undefined;
    let bestScore = 0;
    let totalInFlight = 0;
    let totalWeight = 0;
    for (let index = 0; index < highs.length; index++) {
      const upstream = candidates[index] as Candidate;
      const weight = upstream.effectiveWeight;
      totalInFlight += upstream.inFlight;
      totalWeight += weight;
      const unit = unitOf(highs[index] as number, lows[index] as number, keyHash);
      if (weight <= bestScore * (1 - unit)) continue;
      const score = scoreOf(weight, unit);
      if (score <= bestScore) continue;
      best = upstream;
      bestScore = score;
    }
    if (best === undefined) return drawByWeight(candidates, random);
    const allowed = allowedPerWeight(totalInFlight, totalWeight);
    return mayTake(best, allowed) ? best : (this.#nextWithRoom(candidates, keyHash, allowed) ?? best);
  }

  weigh(context: PickContext): readonly Weighed[] {
    const { candidates, key } = context;
    if (key === undefined) return weighByWeight(candidates);
    const keyHash = hash64(key);
    const ids = this.#idsOf(candidates);
    const sum = (of: (upstream: Candidate) => number) =>
      candidates.reduce((total, upstream) => total + of(upstream), 0);
    const allowed = allowedPerWeight(
      sum(({ inFlight }) => inFlight),
      sum(({ effectiveWeight }) => effectiveWeight),
    );
    const picked = this.pick(context);
    return candidates.map((upstream, index) => {
      const { inFlight, effectiveWeight } = upstream;
      const score = figure(scoreOf(effectiveWeight, ids.unitWith(index, keyHash)));
      const most = Math.ceil(allowed * effectiveWeight);
      const load = mayTake(upstream, allowed) ? "" : `, passed over with ${inFlight} of ${most} in flight`;
      return { chance: upstream === picked ? 1 : 0, because: `score ${score} for this key${load}` };
    });
  }

  /** The highest score of those that may take one more. */
  #nextWithRoom(candidates: readonly Candidate[], keyHash: Hash64, allowed: number): Candidate | undefined {
    const ids = this.#idsOf(candidates);
    let best: Candidate | undefined;
    let bestScore = 0;
    for (const [index, upstream] of candidates.entries()) {
      if (!mayTake(upstream, allowed)) continue;
      const score = scoreOf(upstream.effectiveWeight, ids.unitWith(index, keyHash));
      if (score <= bestScore) continue;
      best = upstream;
      bestScore = score;
    }
    return best;
  }

  #idsOf(candidates: readonly Candidate[]): HashList {
    if (candidates !== this.#known) {
      this.#ids = new HashList(candidates.map(({ id }) => id));
      this.#known = candidates;
    }
    return this.#ids;
  }
}

function mayTake({ inFlight, effectiveWeight }: Candidate, allowed: number): boolean {
  return inFlight < Math.ceil(allowed * effectiveWeight);
}

/** How many requests in flight each unit of weight may have, the one to be placed counted in. */
function allowedPerWeight(inFlight: number, weight: number): number {
  return ((inFlight + 1) * limits.hashLoadFactor) / weight;
}

function scoreOf(weight: number, unit: number): number {
  return weight / -Math.log(unit);
}
