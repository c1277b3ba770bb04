import os from "node:os";
import { limits } from "../config/defaults.ts";

/** How short names are completed (resolv.conf(5)). */
export interface SearchRules {
  readonly domains: readonly string[];
  /** A name with at least this number of dots is tried unchanged first. */
  readonly ndots: number;
}

/** resolv.conf(5): "silently capped to 15". */
const maxNdots = 15;

/** Parses `search`, `domain` and `options ndots` of resolv.conf. LOCALDOMAIN and RES_OPTIONS override them. */
export function parseResolvConf(text: string, environment: NodeJS.ProcessEnv = process.env): SearchRules {
  let domains: readonly string[] | undefined;
  let ndots = 1;
  const readOptions = (options: readonly string[]) => {
    for (const option of options) {
      const value = /^ndots:(\d{1,3})$/.exec(option)?.[1];
      if (value !== undefined) ndots = Math.min(Number(value), maxNdots);
    }
  };
  for (const line of text.split(/\r?\n/)) {
    const [keyword, ...values] = line
      .replace(/[#;].*/, "")
      .trim()
      .split(/\s+/);
    // The last of several `search` and `domain` lines counts.
    if (keyword === "search") domains = values;
    else if (keyword === "domain") domains = values.slice(0, 1);
    else if (keyword === "options") readOptions(values);
  }
  const { LOCALDOMAIN, RES_OPTIONS } = environment;
  if (LOCALDOMAIN !== undefined) domains = LOCALDOMAIN.trim().split(/\s+/);
  if (RES_OPTIONS !== undefined) readOptions(RES_OPTIONS.trim().split(/\s+/));
  domains ??= [domainOf(os.hostname())];
  const usable = domains.map((domain) => domain.replace(/\.$/, "")).filter((domain) => domain !== "");
  return { domains: usable.slice(0, limits.dnsSearchDomains), ndots };
}

/** Returns the names to look up for a host name, in order. A name with a final dot is complete. */
export function searchNames(hostname: string, { domains, ndots }: SearchRules): readonly string[] {
  if (hostname.endsWith(".")) return [hostname.slice(0, -1)];
  const completed = domains.map((domain) => `${hostname}.${domain}`).filter((name) => name.length <= 253);
  const dots = hostname.split(".").length - 1;
  return dots >= ndots ? [hostname, ...completed] : [...completed, hostname];
}

function domainOf(hostname: string): string {
  const dot = hostname.indexOf(".");
  return dot === -1 ? "" : hostname.slice(dot + 1);
}
