import createDebug from "debug";
import { limits } from "../config/defaults.ts";
import type { ResolvedDiscovery, ResolvedUpstream } from "../config/resolved.ts";
import { addressesIn, isUsable, type KnownAddresses, lookUpAddresses } from "./addresses.ts";
import type { DnsClient } from "./dns-client.ts";
import { toFoundUpstream } from "./found-upstream.ts";
import { LookupFailure } from "./lookup-failure.ts";
import { type Service, toServices } from "./services.ts";

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

/** Looks a name up. Rejects with a `LookupFailure` when that leads to nobody. */
export function lookUp(options: ResolvedDiscovery, client: DnsClient, known: KnownAddresses): Promise<Findings> {
  return options.type === "srv" ? lookUpServices(options, client, known) : lookUpHosts(options, client, known);
}

async function lookUpHosts(options: ResolvedDiscovery, client: DnsClient, known: KnownAddresses): Promise<Findings> {
  const next: KnownAddresses = new Map();
  const { addresses, ttl } = await lookUpAddresses(client, options.name, known, next);
  const usable = addresses.filter(isUsable);
  const found = usable.map((address) => toFoundUpstream(address, options.port, { weight: 1, tier: 0 }, options));
  return toFindings(found, addresses.length - usable.length, ttl, next);
}

async function lookUpServices(options: ResolvedDiscovery, client: DnsClient, known: KnownAddresses): Promise<Findings> {
  const records = await client.services(options.name).catch((error: unknown) => {
    throw LookupFailure.from(error);
  });
  const services = toServices(records).slice(0, limits.discoveredMembers);
  if (services.length === 0) throw new LookupFailure("no records", true);
  const next: KnownAddresses = new Map();
  const ttl = await lookUpTargets(services, client, known, next);
  let passedOver = records.length - services.length;
  const found = services.flatMap((service) => {
    const addresses = addressesIn(next, service.target).filter(isUsable);
    if (addresses.length === 0) passedOver++;
    return addresses.map((address) => toFoundUpstream(address, service.port, service, options));
  });
  return toFindings(found, passedOver, ttl, next);
}

/** Finds the targets' addresses, so many at a time. One that fails keeps those it had, and hinders no other. */
async function lookUpTargets(
  services: readonly Service[],
  client: DnsClient,
  known: KnownAddresses,
  next: KnownAddresses,
): Promise<number> {
  const targets = new Set(services.map(({ target }) => target)).values();
  let ttl = Infinity;
  const work = async () => {
    for (const target of targets) {
      try {
        const addresses = await lookUpAddresses(client, target, known, next);
        ttl = Math.min(ttl, addresses.ttl);
      } catch (error) {
        debug("%s: %s", target, LookupFailure.from(error).message);
        ttl = 0;
      }
    }
  };
  await Promise.all(Array.from({ length: limits.discoveryTargetsAtOnce }, work));
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
  if (upstreams.length === 0) throw new LookupFailure("no usable addresses", true);
  const within = upstreams.slice(0, limits.discoveredMembers);
  return {
    upstreams: Object.freeze(within),
    ttlMs: Math.min(ttl * 1_000, limits.discoveryTtlMs),
    passedOver: passedOver + upstreams.length - within.length,
    known,
  };
}
