import type { PoolSnapshot } from "evenkeel";

/** How the answers are shared out so far, as in `fast 30 (75 %)`. */
export function describeShares({ upstreams }: PoolSnapshot): string {
  const answered = upstreams.map(({ id, outcomes }) => ({ id, count: outcomes.success ?? 0 }));
  const total = answered.reduce((sum, { count }) => sum + count, 0);
  const shares = answered.map(
    ({ id, count }) => `${id} ${count} (${Math.round((count / Math.max(total, 1)) * 100)} %)`,
  );
  return `answered: ${shares.join("  ")}`;
}
