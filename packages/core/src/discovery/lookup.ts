import createDebug from "debug";
import { limits } from "../config/defaults.ts";
import type { ResolvedDiscovery, ResolvedUpstream } from "../config/resolved.ts";
import type { DnsClient } from "../dns/dns-client.ts";
import { LookupFailure } from "../dns/lookup-failure.ts";
import { type AddressLookup, addressesIn, isUsable, type KnownAddresses, lookUpAddresses } from "./addresses.ts";
import { toDiscoveredUpstream } from "./discovered-upstream.ts";
import { type SrvTarget, toSrvTargets } from "./srv-records.ts";

const debug = createDebug("evenkeel:discovery");

/** The result of a successful lookup. */
export interface LookupResult {
  /** Without duplicates. The order is the same in every process with the same DNS responses. */
  readonly upstreams: readonly ResolvedUpstream[];
  /** The shortest TTL. */
  readonly ttlMs: number;
  /** The number of ignored records: without a usable address, or above the limit of members. */
  readonly passedOver: number;
  /** The input of the next lookup. */
  readonly known: KnownAddresses;
}

export interface LookupInput {
  readonly options: ResolvedDiscovery;
  readonly client: DnsClient;
  /** The addresses from earlier lookups. */
  readonly known: KnownAddresses;
  /** Milliseconds on the monotonic clock. */
  readonly now: number;
}

/** Looks up the members of a pool. Rejects with a `LookupFailure` if there is none. */
export function lookUp(input: LookupInput): Promise<LookupResult> {
  return input.options.type === "srv" ? lookUpSrvRecords(input) : lookUpAddressRecords(input);
}

async function lookUpAddressRecords(input: LookupInput): Promise<LookupResult> {
  const { options } = input;
  const next: KnownAddresses = new Map();
  const { addresses, ttl } = await lookUpAddresses({ ...input, next }, options.name);
  const usable = addresses.filter(isUsable);
  const found = usable.map((address) => toDiscoveredUpstream(address, options.port, { weight: 1, tier: 0 }, options));
  return toLookupResult(found, addresses.length - usable.length, ttl, next);
}

async function lookUpSrvRecords(input: LookupInput): Promise<LookupResult> {
  const { options, client } = input;
  const records = await client.services(options.name).catch((error: unknown) => {
    throw LookupFailure.from(error);
  });
  const targets = toSrvTargets(records).slice(0, limits.discoveredMembers);
  if (targets.length === 0) throw new LookupFailure("no records", "empty");
  const next: KnownAddresses = new Map();
  const ttl = await lookUpTargets(targets, { ...input, next });
  let passedOver = records.length - targets.length;
  const found = targets.flatMap((target) => {
    const addresses = addressesIn(next, target.target).filter(isUsable);
    if (addresses.length === 0) passedOver++;
    return addresses.map((address) => toDiscoveredUpstream(address, target.port, target, options));
  });
  return toLookupResult(found, passedOver, ttl, next);
}

/**
 * Looks up the addresses of the targets, a limited number at a time. Returns the shortest TTL in seconds. If the lookup of a
 * target fails, its last good addresses stay and the others are used. If every target is empty, so is the whole lookup.
 */
async function lookUpTargets(targets: readonly SrvTarget[], lookup: AddressLookup): Promise<number> {
  const names = new Set(targets.map(({ target }) => target));
  const pending = names.values();
  let ttl = Infinity;
  let empty = 0;
  const work = async () => {
    for (const name of pending) {
      try {
        const addresses = await lookUpAddresses(lookup, name);
        ttl = Math.min(ttl, addresses.ttl);
      } catch (error) {
        const failure = LookupFailure.from(error);
        debug("%s: %s", name, failure.message);
        if (failure.empty) empty++;
      }
    }
  };
  await Promise.all(Array.from({ length: limits.discoveryTargetsAtOnce }, work));
  if (empty === names.size) throw new LookupFailure("no usable addresses", "empty");
  return ttl;
}

function toLookupResult(
  found: readonly ResolvedUpstream[],
  passedOver: number,
  ttl: number,
  known: KnownAddresses,
): LookupResult {
  const first = new Map<string, ResolvedUpstream>();
  for (const upstream of found) {
    const same = first.get(upstream.id);
    if (same === undefined || upstream.tier < same.tier) first.set(upstream.id, upstream);
  }
  const upstreams = [...first.values()].sort((a, b) => a.tier - b.tier || (a.id < b.id ? -1 : 1));
  if (upstreams.length === 0) throw new LookupFailure("no usable addresses", "failed");
  const within = upstreams.slice(0, limits.discoveredMembers);
  return {
    upstreams: Object.freeze(within),
    ttlMs: Math.min(ttl * 1_000, limits.discoveryTtlMs),
    passedOver: passedOver + upstreams.length - within.length,
    known,
  };
}
