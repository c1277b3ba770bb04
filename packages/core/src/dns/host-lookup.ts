/** One lookup of a host: the hosts file, then DNS with the search list, then getaddrinfo for what only the system knows. */

import { limits } from "../config/defaults.ts";
import type { Clock, Timer } from "../runtime/clock.ts";
import { isLinkLocalOrMetadata } from "./address-classes.ts";
import { type AddressRecord, type DnsClient, type OpenDns, openNodeDns } from "./dns-client.ts";
import { type HostAddress, type Hosts, hostsPath, localAddresses, parseHosts } from "./hosts-file.ts";
import { LocalFile } from "./local-file.ts";
import { LookupFailure } from "./lookup-failure.ts";
import { parseResolvConf, type SearchRules, searchNames } from "./resolv-conf.ts";
import { type SystemLookup, systemLookup } from "./system-lookup.ts";

/** Where names are resolved; a test puts its own in place. */
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
  /** The last good addresses: those of a family stay when only its question fails. */
  readonly known: readonly HostAddress[];
  /** Called when one family is there and the other is late; the answer itself follows. */
  readonly onEarly: (answer: HostAnswer) => void;
}

type FamilyAnswer = readonly AddressRecord[] | LookupFailure;

/** The sources of this machine. */
export function machineSources(): NameSources {
  const hosts = new LocalFile(hostsPath, parseHosts);
  const rules = new LocalFile("/etc/resolv.conf", parseResolvConf);
  return { hosts: () => hosts.read(), search: () => rules.read(), openDns: openNodeDns, system: systemLookup };
}

/** Rejects with a `LookupFailure`. */
export async function lookUpHost(hostname: string, sources: NameSources, lookup: HostLookup): Promise<HostAnswer> {
  const local = localAddresses(await sources.hosts(), hostname);
  if (local !== undefined) return { addresses: local, ttlMs: limits.hostsFileTtlMs };
  const answer = await searchDns(hostname, sources, lookup);
  if (!(answer instanceof LookupFailure)) return answer;
  // A silent DNS is no reason to let getaddrinfo hold a thread for as long as it likes to wait.
  if (isFinal(answer)) throw answer;
  try {
    // Names of mDNS (RFC 6762) lead to link-local addresses by design, and no further than the local network.
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

/** As the system's resolver does: goes on to the next name after an empty answer or a failure, but not after silence. */
async function searchDns(
  hostname: string,
  sources: NameSources,
  lookup: HostLookup,
): Promise<HostAnswer | LookupFailure> {
  const client = sources.openDns(undefined, lookup.signal);
  let worst: LookupFailure | undefined;
  for (const name of searchNames(hostname, await sources.search())) {
    const answer = await askBothFamilies(client, name, lookup);
    if (!(answer instanceof LookupFailure)) return answer;
    if (worst === undefined || worst.empty) worst = answer;
    if (isFinal(answer)) return answer;
  }
  return worst ?? new LookupFailure("a malformed name", "failed");
}

async function askBothFamilies(
  client: DnsClient,
  name: string,
  { clock, known, onEarly }: HostLookup,
): Promise<HostAnswer | LookupFailure> {
  const answers = new Map<4 | 6, FamilyAnswer>();
  let timer: Timer;
  const askFor = async (family: 4 | 6) => {
    const answer = await ask(client, name, family);
    answers.set(family, answer);
    if (answer instanceof LookupFailure || answers.size === 2) return;
    timer = clock.setTimeout(() => onEarly(toAnswer(answers, known)), limits.dnsOtherFamilyMs);
  };
  await Promise.all([askFor(6), askFor(4)]);
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

async function ask(client: DnsClient, name: string, family: 4 | 6): Promise<FamilyAnswer> {
  try {
    const records = await client.addresses(name, family);
    if (records.length === 0) return new LookupFailure("no records", "empty");
    const allowed = records.filter(isAllowed);
    return allowed.length > 0 ? allowed : unusable();
  } catch (error) {
    return LookupFailure.from(error);
  }
}

/** Neither another name nor another resolver is tried after it. */
function isFinal({ kind }: LookupFailure): boolean {
  return kind === "timeout" || kind === "unasked" || kind === "unusable";
}

/** A forged answer of DNS must not lead to what hands out a machine's credentials; the hosts file and URLs may. */
function isAllowed({ address }: { readonly address: string }): boolean {
  return !isLinkLocalOrMetadata(address);
}

function unusable(): LookupFailure {
  return new LookupFailure("only link-local or metadata addresses", "unusable");
}
