import createDebug from "debug";
import { limits } from "../config/defaults.ts";
import type { ResolvedDiscovery, ResolvedUpstream } from "../config/resolved.ts";
import type { DnsClient } from "../dns/dns-client.ts";
import { LookupFailure } from "../dns/lookup-failure.ts";
import { type AddressLookup, addressesIn, isUsable, type KnownAddresses, lookUpAddresses } from "./addresses.ts";
import { toFoundUpstream } from "./discovered-upstream.ts";
import { type Service, toServices } from "./srv-records.ts";

const debug = createDebug("evenkeel:discovery");

/** What one look-up has found. */
export interface Findings {
  /** Each once, in an order that is the same in every process that gets the same answer. */
  readonly upstreams: readonly ResolvedUpstream[];
  /** How long all of it holds. */
  readonly ttlMs: number;
  /** Records that made no member: without a usable address, or beyond the limit. */
  readonly passedOver: number;
  /** To be handed to the next look-up. */
  readonly known: KnownAddresses;
}

/** What one lookup starts from. */
export interface LookupInput {
  readonly options: ResolvedDiscovery;
  readonly client: DnsClient;
  /** What earlier lookups have found. */
  readonly known: KnownAddresses;
  /** Milliseconds on the monotonic clock. */
  readonly now: number;
}

/** Looks a name up. Rejects with a `LookupFailure` when there is no member to take. */
export function lookUp(input: LookupInput): Promise<Findings> {
  return input.options.type === "srv" ? lookUpServices(input) : lookUpHosts(input);
}

async function lookUpHosts(input: LookupInput): Promise<Findings> {
  const { options } = input;
  const next: KnownAddresses = new Map();
  const { addresses, ttl } = await lookUpAddresses({ ...input, next }, options.name);
  const usable = addresses.filter(isUsable);
  const found = usable.map((address) => toFoundUpstream(address, options.port, { weight: 1, tier: 0 }, options));
  return toFindings(found, addresses.length - usable.length, ttl, next);
}

async function lookUpServices(input: LookupInput): Promise<Findings> {
  const { options, client } = input;
  const records = await client.services(options.name).catch((error: unknown) => {
    throw LookupFailure.from(error);
  });
  const services = toServices(records).slice(0, limits.discoveredMembers);
  if (services.length === 0) throw new LookupFailure("no records", "empty");
  const next: KnownAddresses = new Map();
  const ttl = await lookUpTargets(services, { ...input, next });
  let passedOver = records.length - services.length;
  const found = services.flatMap((service) => {
    const addresses = addressesIn(next, service.target).filter(isUsable);
    if (addresses.length === 0) passedOver++;
    return addresses.map((address) => toFoundUpstream(address, service.port, service, options));
  });
  return toFindings(found, passedOver, ttl, next);
}

/**
 * Finds the targets' addresses, so many at a time, and returns the shortest TTL in seconds. A target that fails keeps those
 * it had, and does not hinder the others. When every target is empty, so is the whole answer.
 */
async function lookUpTargets(services: readonly Service[], lookup: AddressLookup): Promise<number> {
  const names = new Set(services.map(({ target }) => target));
  const targets = names.values();
  let ttl = Infinity;
  let empty = 0;
  const work = async () => {
    for (const target of targets) {
      try {
        const addresses = await lookUpAddresses(lookup, target);
        ttl = Math.min(ttl, addresses.ttl);
      } catch (error) {
        const failure = LookupFailure.from(error);
        debug("%s: %s", target, failure.message);
        if (failure.empty) empty++;
      }
    }
  };
  await Promise.all(Array.from({ length: limits.discoveryTargetsAtOnce }, work));
  if (empty === names.size) throw new LookupFailure("no usable addresses", "empty");
  return ttl;
}

function toFindings(
  found: readonly ResolvedUpstream[],
  passedOver: number,
  ttl: number,
  known: KnownAddresses,
): Findings {
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
