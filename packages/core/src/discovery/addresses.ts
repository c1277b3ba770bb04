import createDebug from "debug";
import type { ResolvedDiscovery } from "../config/resolved.ts";
import { isLinkLocalOrMetadata, isServerAddress } from "../dns/address-classes.ts";
import type { AddressRecord, DnsClient } from "../dns/dns-client.ts";
import { LookupFailure } from "../dns/lookup-failure.ts";

const debug = createDebug("evenkeel:discovery");

/** The last good addresses of one name and family. */
interface LastGood {
  readonly addresses: readonly string[];
  /** The time of the first of consecutive empty responses. Undefined if the last response had records. */
  readonly emptySince: number | undefined;
}

/** The last good addresses by family and name, which stay in use when a query fails. The keys are such as `4 api.internal`. */
export type KnownAddresses = Map<string, LastGood>;

export interface Addresses {
  readonly addresses: readonly string[];
  /** The shortest TTL of the records in seconds. Infinity if some of the addresses are from an earlier lookup. */
  readonly ttl: number;
}

/** The input and output of a lookup of addresses. */
export interface AddressLookup {
  readonly client: DnsClient;
  readonly options: ResolvedDiscovery;
  /** Milliseconds on the monotonic clock. */
  readonly now: number;
  readonly known: KnownAddresses;
  /** Receives the addresses for the next lookup. */
  readonly next: KnownAddresses;
}

/**
 * Looks up the addresses of a name, of both families or of the one in the options. If the query of one family fails and the
 * other has records, the last good addresses of the failed one stay; those of an empty family are dropped. Rejects with a
 * `LookupFailure` if no query has records. Then the last good addresses stay, after empty responses for the hold time.
 */
export async function lookUpAddresses(lookup: AddressLookup, name: string): Promise<Addresses> {
  const { client, options, known, next } = lookup;
  const families = familiesOf(options);
  const results = await Promise.all(families.map((family) => query(client, name, family)));
  const failures = results.filter((result) => result instanceof LookupFailure);
  if (failures.length === results.length) {
    const failure = failures.find(({ empty }) => !empty) ?? (failures[0] as LookupFailure);
    for (const family of families) keepLastGood(lookup, `${family} ${name}`, failure.empty);
    throw failure;
  }
  let ttl = Infinity;
  let old = false;
  for (const [index, result] of results.entries()) {
    const key = `${families[index]} ${name}`;
    if (!(result instanceof LookupFailure)) {
      next.set(key, { addresses: result.map(({ address }) => address), emptySince: undefined });
      ttl = Math.min(ttl, ...result.map((record) => record.ttl));
    } else if (!result.empty) {
      debug("%s IPv%d: %s", name, families[index], result.message);
      keepLastGood(lookup, key, false);
      old ||= known.has(key);
    }
  }
  return { addresses: addressesIn(next, name), ttl: old ? Infinity : ttl };
}

/** The known addresses of a name, of both families. */
export function addressesIn(known: KnownAddresses, name: string): readonly string[] {
  return ([4, 6] as const).flatMap((family) => known.get(`${family} ${name}`)?.addresses ?? []);
}

/** Rejects addresses by which a forged DNS response could send requests to services of this machine. */
export function isUsable(address: string): boolean {
  return isServerAddress(address) && !isLinkLocalOrMetadata(address);
}

function familiesOf({ family }: ResolvedDiscovery): readonly (4 | 6)[] {
  return family === "any" ? [4, 6] : [family === "4" ? 4 : 6];
}

async function query(
  client: DnsClient,
  name: string,
  family: 4 | 6,
): Promise<readonly AddressRecord[] | LookupFailure> {
  try {
    const records = await client.addresses(name, family);
    return records.length > 0 ? records : new LookupFailure("no records", "empty");
  } catch (error) {
    return LookupFailure.from(error);
  }
}

/** Copies the last good addresses to the next lookup, after an empty response until the hold time has passed. */
function keepLastGood({ known, next, options, now }: AddressLookup, key: string, empty: boolean): void {
  const before = known.get(key);
  if (before === undefined) return;
  const emptySince = before.emptySince ?? (empty ? now : undefined);
  if (empty && now - (emptySince ?? now) >= options.holdMs) return;
  next.set(key, { ...before, emptySince });
}
