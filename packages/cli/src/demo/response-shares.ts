import type { PoolSnapshot } from "evenkeel";

/** Describes how many responses came from each upstream, as in `fast 30 (75 %)`. */
export function describeShares({ upstreams }: PoolSnapshot): string {
  const responses = upstreams.map(({ id, outcomes }) => ({ id, count: outcomes.success ?? 0 }));
  const total = responses.reduce((sum, { count }) => sum + count, 0);
  const shares = responses.map(
    ({ id, count }) => `${id} ${count} (${Math.round((count / Math.max(total, 1)) * 100)} %)`,
  );
  return `responses: ${shares.join("  ")}`;
}
