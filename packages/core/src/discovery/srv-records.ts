import { limits } from "../config/defaults.ts";
import type { ServiceRecord } from "../dns/dns-client.ts";

/** An SRV record in a pool's own terms. */
export interface Service {
  /** In lower case. */
  readonly target: string;
  readonly port: number;
  /** 0 for the lowest priority that is there, 1 for the next. */
  readonly tier: number;
  /** 1 to 256, beside others of its tier. */
  readonly weight: number;
}

/**
 * Gives SRV records their tiers and weights, the most preferred first and always in the same order. Records of no
 * service (a target of ".", a port of 0) are left out.
 */
export function toServices(records: readonly ServiceRecord[]): Service[] {
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
 * SRV weights are 0 to 65535 and only mean something beside each other, so they are scaled where they do not fit. A weight
 * of 0 is a very small chance (RFC 2782), where a pool's 0 is none: it becomes the smallest share that there is beside
 * the others, and an equal one when all are 0.
 */
function toTier(records: readonly ServiceRecord[], tier: number): Service[] {
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
