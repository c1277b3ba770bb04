import { limits } from "../config/defaults.ts";
import type { ServiceRecord } from "../dns/dns-client.ts";

/** An SRV record with the tier and the weight of a pool. */
export interface SrvTarget {
  /** In lower case. */
  readonly target: string;
  readonly port: number;
  /** 0 for the lowest priority of all records, 1 for the next. */
  readonly tier: number;
  /** 1 to 256, relative to the others of its tier. */
  readonly weight: number;
}

/**
 * Converts SRV records, sorted by tier and name. Records without a service (the target "." or the port 0) are left out.
 */
export function toSrvTargets(records: readonly ServiceRecord[]): SrvTarget[] {
  const byPriority = new Map<number, ServiceRecord[]>();
  for (const record of records) {
    if (record.name === "" || record.port === 0) continue;
    const peers = byPriority.get(record.priority);
    if (peers === undefined) byPriority.set(record.priority, [record]);
    else peers.push(record);
  }
  const priorities = [...byPriority.keys()].sort((a, b) => a - b);
  return priorities.flatMap((priority, tier) => toTier(byPriority.get(priority) ?? [], tier));
}

/**
 * SRV weights are 0 to 65535 and relative to each other, so they are scaled if they exceed the range of a pool. An SRV weight
 * of 0 is a very small share (RFC 2782), but a weight of 0 in a pool is none. So 0 becomes 1 while the largest becomes 256.
 * If all are 0, all become 1.
 */
function toTier(records: readonly ServiceRecord[], tier: number): SrvTarget[] {
  const weights = records.map(({ weight }) => weight);
  const heaviest = Math.max(...weights);
  const fits = heaviest <= limits.maxWeight && !weights.includes(0);
  const scale = fits || heaviest === 0 ? 1 : limits.maxWeight / heaviest;
  return records
    .map(({ name, port, weight }) => ({
      target: name.toLowerCase(),
      port,
      tier,
      weight: Math.max(1, Math.round(weight * scale)),
    }))
    .sort((a, b) => compare(a.target, b.target) || a.port - b.port || b.weight - a.weight);
}

function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
