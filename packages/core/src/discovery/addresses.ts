import createDebug from "debug";
import type { ResolvedDiscovery } from "../config/resolved.ts";
import { isLinkLocalOrMetadata, isServerAddress } from "../dns/address-classes.ts";
import type { AddressRecord, DnsClient } from "../dns/dns-client.ts";
import { LookupFailure } from "../dns/lookup-failure.ts";

const debug = createDebug("evenkeel:discovery");

/** The addresses of a name of one family. */
interface Known {
  readonly addresses: readonly string[];
  /** When the first of the empty answers in a row came, for which they are held; undefined while they are good. */
  readonly emptySince: number | undefined;
}

/** The last good addresses of each name, by family: what stays in force when a question about it fails. */
export type KnownAddresses = Map<string, Known>;

export interface Addresses {
  readonly addresses: readonly string[];
  /** The shortest of the records', in seconds. Infinity when some of the addresses are old: it is not known. */
  readonly ttl: number;
}

/** What a lookup of addresses goes by. */
export interface AddressLookup {
  readonly client: DnsClient;
  readonly options: ResolvedDiscovery;
  /** Milliseconds on the monotonic clock. */
  readonly now: number;
  readonly known: KnownAddresses;
  /** Receives what is known from now on. */
  readonly next: KnownAddresses;
}

/**
 * Asks for the addresses of a name, of both families or of the one that the options name. When one family fails and the
 * other is there, the last good addresses of the failed one stay; a family that DNS says is empty is gone. Rejects with a
 * `LookupFailure` when nothing new is there: the last good addresses stay, after empty answers for the hold time.
 */
export async function lookUpAddresses(lookup: AddressLookup, name: string): Promise<Addresses> {
  const { client, options, known, next } = lookup;
  const families = familiesOf(options);
  const answers = await Promise.all(families.map((family) => ask(client, name, family)));
  const failures = answers.filter((answer) => answer instanceof LookupFailure);
  if (failures.length === answers.length) {
    const failure = failures.find(({ empty }) => !empty) ?? (failures[0] as LookupFailure);
    for (const family of families) keep(lookup, `${family} ${name}`, failure.empty);
    throw failure;
  }
  let ttl = Infinity;
  let old = false;
  for (const [index, answer] of answers.entries()) {
    const key = `${families[index]} ${name}`;
    if (!(answer instanceof LookupFailure)) {
      next.set(key, { addresses: answer.map(({ address }) => address), emptySince: undefined });
      ttl = Math.min(ttl, ...answer.map((record) => record.ttl));
    } else if (!answer.empty) {
      debug("%s IPv%d: %s", name, families[index], answer.message);
      keep(lookup, key, false);
      old ||= known.has(key);
    }
  }
  return { addresses: addressesIn(next, name), ttl: old ? Infinity : ttl };
}

/** Every address that is known of a name. */
export function addressesIn(known: KnownAddresses, name: string): readonly string[] {
  return ([4, 6] as const).flatMap((family) => known.get(`${family} ${name}`)?.addresses ?? []);
}

/** A forged DNS response must not lead requests to services of the machine itself. */
export function isUsable(address: string): boolean {
  return isServerAddress(address) && !isLinkLocalOrMetadata(address);
}

function familiesOf({ family }: ResolvedDiscovery): readonly (4 | 6)[] {
  return family === "any" ? [4, 6] : [family === "4" ? 4 : 6];
}

async function ask(client: DnsClient, name: string, family: 4 | 6): Promise<readonly AddressRecord[] | LookupFailure> {
  try {
    const records = await client.addresses(name, family);
    return records.length > 0 ? records : new LookupFailure("no records", "empty");
  } catch (error) {
    return LookupFailure.from(error);
  }
}

function keep({ known, next, options, now }: AddressLookup, key: string, empty: boolean): void {
  const before = known.get(key);
  if (before === undefined) return;
  const emptySince = before.emptySince ?? (empty ? now : undefined);
  if (empty && now - (emptySince ?? now) >= options.holdMs) return;
  next.set(key, { ...before, emptySince });
}
