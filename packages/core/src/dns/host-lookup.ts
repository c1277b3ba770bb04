/** One lookup of a host: in the hosts file, then DNS with the search list, then getaddrinfo for names that only the system knows. */

import { limits } from "../config/defaults.ts";
import type { Clock, Timer } from "../runtime/clock.ts";
import { isLinkLocalOrMetadata } from "./address-classes.ts";
import { type AddressRecord, type DnsClient, type OpenDns, openNodeDns } from "./dns-client.ts";
import { type HostAddress, type Hosts, hostsPath, localAddresses, parseHosts } from "./hosts-file.ts";
import { LocalFile } from "./local-file.ts";
import { LookupFailure } from "./lookup-failure.ts";
import { parseResolvConf, type SearchRules, searchNames } from "./resolv-conf.ts";
import { type SystemLookup, systemLookup } from "./system-lookup.ts";

/** The sources of a lookup. Tests replace them. */
export interface NameSources {
  readonly hosts: () => Promise<Hosts>;
  readonly search: () => Promise<SearchRules>;
  readonly openDns: OpenDns;
  readonly system: SystemLookup;
}

export interface HostAnswer {
  /** At least one. */
  readonly addresses: readonly HostAddress[];
  readonly ttlMs: number;
}

export interface HostLookup {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** The last good addresses. Those of a family stay in use when only its query fails. */
  readonly known: readonly HostAddress[];
  /** Called with the addresses of one family when the other one is late; the complete answer follows. */
  readonly onEarly: (answer: HostAnswer) => void;
}

type FamilyAnswer = readonly AddressRecord[] | LookupFailure;

/** Returns the sources of this machine. */
export function machineSources(): NameSources {
  const hosts = new LocalFile(hostsPath, parseHosts);
  const rules = new LocalFile("/etc/resolv.conf", parseResolvConf);
  return { hosts: () => hosts.read(), search: () => rules.read(), openDns: openNodeDns, system: systemLookup };
}

/** Resolves a host name. Rejects with a `LookupFailure`. */
export async function lookUpHost(hostname: string, sources: NameSources, lookup: HostLookup): Promise<HostAnswer> {
  const local = localAddresses(await sources.hosts(), hostname);
  if (local !== undefined) return { addresses: local, ttlMs: limits.hostsFileTtlMs };
  const answer = await searchDns(hostname, sources, lookup);
  if (!(answer instanceof LookupFailure)) return answer;
  // While DNS does not answer, getaddrinfo would hold a thread until its own timeout.
  if (isFinal(answer)) throw answer;
  try {
    // mDNS names (RFC 6762) have link-local addresses by design, and are valid in the local network only.
    const found = await sources.system(hostname, lookup.signal);
    const addresses = /\.local\.?$/i.test(hostname) ? found : found.filter(isAllowed);
    if (addresses.length === 0 && found.length > 0) throw unusable();
    if (addresses.length > 0) return { addresses, ttlMs: limits.dnsUnknownTtlMs };
  } catch (error) {
    const failure = LookupFailure.from(error);
    if (!failure.empty) throw failure;
  }
  throw answer;
}

/** Like the system's resolver, tries the next name after an empty answer or a failure, but not after a timeout. */
async function searchDns(
  hostname: string,
  sources: NameSources,
  lookup: HostLookup,
): Promise<HostAnswer | LookupFailure> {
  const client = sources.openDns(undefined, lookup.signal);
  let worst: LookupFailure | undefined;
  for (const name of searchNames(hostname, await sources.search())) {
    const answer = await queryBothFamilies(client, name, lookup);
    if (!(answer instanceof LookupFailure)) return answer;
    if (worst === undefined || worst.empty) worst = answer;
    if (isFinal(answer)) return answer;
  }
  return worst ?? new LookupFailure("a malformed name", "failed");
}

async function queryBothFamilies(
  client: DnsClient,
  name: string,
  { clock, known, onEarly }: HostLookup,
): Promise<HostAnswer | LookupFailure> {
  const answers = new Map<4 | 6, FamilyAnswer>();
  let timer: Timer;
  const run = async (family: 4 | 6) => {
    const answer = await query(client, name, family);
    answers.set(family, answer);
    if (answer instanceof LookupFailure || answers.size === 2) return;
    timer = clock.setTimeout(() => onEarly(toAnswer(answers, known)), limits.dnsOtherFamilyMs);
  };
  await Promise.all([run(6), run(4)]);
  clock.clearTimeout(timer);
  const failures = [...answers.values()].filter((answer) => answer instanceof LookupFailure);
  if (failures.length < answers.size) return toAnswer(answers, known);
  return failures.find(({ empty }) => !empty) ?? (failures[0] as LookupFailure);
}

function toAnswer(answers: ReadonlyMap<4 | 6, FamilyAnswer>, known: readonly HostAddress[]): HostAnswer {
  const addresses: HostAddress[] = [];
  let ttlMs: number = limits.dnsMaxTtlMs;
  for (const family of [6, 4] as const) {
    const answer = answers.get(family);
    if (answer !== undefined && !(answer instanceof LookupFailure)) {
      for (const { address, ttl } of answer) {
        addresses.push({ address, family });
        ttlMs = Math.min(ttlMs, ttl * 1_000);
      }
    } else if (answer === undefined || !answer.empty) {
      addresses.push(...known.filter((other) => other.family === family));
      ttlMs = Math.min(ttlMs, limits.dnsRetryMaxMs);
    }
  }
  return { addresses, ttlMs };
}

async function query(client: DnsClient, name: string, family: 4 | 6): Promise<FamilyAnswer> {
  try {
    const records = await client.addresses(name, family);
    if (records.length === 0) return new LookupFailure("no records", "empty");
    const allowed = records.filter(isAllowed);
    return allowed.length > 0 ? allowed : unusable();
  } catch (error) {
    return LookupFailure.from(error);
  }
}

/** Whether neither another name nor another resolver is tried after this failure. */
function isFinal({ kind }: LookupFailure): boolean {
  return kind === "timeout" || kind === "not-sent" || kind === "unusable";
}

/** A forged DNS answer must not point to a service that hands out a machine's credentials. The hosts file and URLs may. */
function isAllowed({ address }: { readonly address: string }): boolean {
  return !isLinkLocalOrMetadata(address);
}

function unusable(): LookupFailure {
  return new LookupFailure("only link-local or metadata addresses", "unusable");
}
