/** What decides about the part of one participant. */
export interface Claim {
  /** The places that it can use. */
  readonly demand: number;
  /** Its share now. */
  readonly share: number;
  /** Since when it has a place that cannot be split, and others with the same claim have not; undefined while it has none. */
  readonly aheadSince: number | undefined;
  /** Since when it could use such a place and has none; undefined while it has one or could not use it. */
  readonly behindSince: number | undefined;
}

/** Milliseconds after which a place that cannot be split moves on: when some participants have none, and otherwise. */
const turnMs = { withNone: 100, withSome: 1_000 };

/** The fair division of a limit. */
export interface Division {
  /** For each claim its part. They add up to the total. */
  readonly parts: readonly number[];
  /** The part of a claim that is not met, without the places that cannot be split. Infinity when all claims are met. */
  readonly level: number;
}

/**
 * Divides `total` by demand (max-min fair): a claim that is smaller than an even part is met, and the others share the rest
 * evenly. What is not claimed is split evenly on top.
 *
 * Places that do not divide evenly go to claims in turn: to those that have them for a short time still, then to those that
 * have waited longest. So each claim is met in part within a bounded time, also when there are fewer places than claims.
 */
export function divide(total: number, claims: readonly Claim[], now: number): Division {
  const parts = claims.map(() => 0);
  const ascending = claims.map((_, index) => index).sort((a, b) => demandOf(claims, a) - demandOf(claims, b));
  let left = total;
  for (const [met, index] of ascending.entries()) {
    const open = claims.length - met;
    const demand = demandOf(claims, index);
    if (demand * open > left) {
      const level = Math.floor(left / open);
      const unmet = ascending.slice(met);
      for (const other of unmet) parts[other] = level;
      const inTurn = byTurn(unmet, claims, level, now).slice(0, left - level * open);
      for (const other of inTurn) parts[other] = level + 1;
      return { parts, level };
    }
    parts[index] = demand;
    left -= demand;
  }
  const extra = Math.floor(left / claims.length);
  for (const [index, part] of parts.entries()) parts[index] = part + extra + (index < left % claims.length ? 1 : 0);
  return { parts, level: Infinity };
}

/** Orders unmet claims by their right to one of the places that cannot be split. */
function byTurn(unmet: readonly number[], claims: readonly Claim[], level: number, now: number): readonly number[] {
  const turn = level === 0 ? turnMs.withNone : turnMs.withSome;
  const rank = (index: number) => {
    const { share, aheadSince } = claims[index] as Claim;
    if (share <= level) return 1;
    return aheadSince === undefined || now - aheadSince < turn ? 0 : 2;
  };
  const since = (index: number) => (claims[index] as Claim).behindSince ?? now;
  return unmet.toSorted((a, b) => rank(a) - rank(b) || since(a) - since(b) || a - b);
}

function demandOf(claims: readonly Claim[], index: number): number {
  return (claims[index] as Claim).demand;
}
