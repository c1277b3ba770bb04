import { BlockList, isIPv6 } from "node:net";
import createDebug from "debug";
import type { AddressRecord, DnsClient } from "./dns-client.ts";
import { LookupFailure } from "./lookup-failure.ts";

const debug = createDebug("evenkeel:discovery");
const families = [4, 6] as const;

/** The last good addresses of each name, by family: what stays in force when a question about it fails. */
export type KnownAddresses = Map<string, readonly string[]>;

export interface Addresses {
  readonly addresses: readonly string[];
  /** The shortest of the records', in seconds; 0 when some of the addresses are old. */
  readonly ttl: number;
}

/**
 * Asks for both kinds of addresses of a name. When one kind fails and the other is there, the last good ones of the
 * failed kind stay; a kind of which there is nothing is gone. When nothing new is there, it rejects with a
 * `LookupFailure`. What holds from now on is put down in `next`.
 */
export async function lookUpAddresses(
  client: DnsClient,
  name: string,
  known: KnownAddresses,
  next: KnownAddresses,
): Promise<Addresses> {
  const answers = await Promise.all(families.map((family) => ask(client, name, family)));
  const failures = answers.filter((answer) => answer instanceof LookupFailure);
  if (failures.length === answers.length) {
    for (const family of families) keep(`${family} ${name}`, known, next);
    throw failures.find(({ empty }) => !empty) ?? failures[0];
  }
  let ttl = Infinity;
  for (const [index, answer] of answers.entries()) {
    const key = `${families[index]} ${name}`;
    if (!(answer instanceof LookupFailure)) {
      next.set(
        key,
        answer.map(({ address }) => address),
      );
      ttl = Math.min(ttl, ...answer.map((record) => record.ttl));
    } else if (!answer.empty) {
      debug("%s IPv%d: %s", name, families[index], answer.message);
      keep(key, known, next);
      ttl = 0;
    }
  }
  return { addresses: addressesIn(next, name), ttl };
}

/** Everything that is put down for a name. */
export function addressesIn(known: KnownAddresses, name: string): readonly string[] {
  return families.flatMap((family) => known.get(`${family} ${name}`) ?? []);
}

/**
 * Addresses that are nobody's upstream, and some that would be a way to what a machine keeps to itself: link-local ones
 * hand out cloud credentials. Whoever can forge an answer of DNS is not to get that far.
 */
const unusable = new BlockList();
unusable.addSubnet("0.0.0.0", 8, "ipv4");
unusable.addSubnet("169.254.0.0", 16, "ipv4");
unusable.addSubnet("224.0.0.0", 3, "ipv4");
unusable.addAddress("::", "ipv6");
unusable.addSubnet("fe80::", 10, "ipv6");
unusable.addSubnet("ff00::", 8, "ipv6");

export function isUsable(address: string): boolean {
  return !unusable.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}

async function ask(client: DnsClient, name: string, family: 4 | 6): Promise<readonly AddressRecord[] | LookupFailure> {
  try {
    const records = await client.addresses(name, family);
    return records.length > 0 ? records : new LookupFailure("no records", true);
  } catch (error) {
    return LookupFailure.from(error);
  }
}

function keep(key: string, known: KnownAddresses, next: KnownAddresses): void {
  const addresses = known.get(key);
  if (addresses !== undefined) next.set(key, addresses);
}
