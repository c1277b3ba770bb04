import type { ResolvedHealthCheck, UpstreamAddress } from "../config/resolved.ts";

const accept: readonly [string, string][] = [["Accept", "*/*"]];

/** The headers of a probe. Those of the options replace ours of the same name. `more` are those of the kind of probe. */
export function probeHeaders(
  { host }: UpstreamAddress,
  { headers }: ResolvedHealthCheck,
  more: readonly [string, string][] = accept,
): [string, string][] {
  const own = Object.entries(headers);
  const names = new Set(own.map(([name]) => name.toLowerCase()));
  const ours: [string, string][] = [["Host", host], ["User-Agent", "evenkeel-health"], ...more];
  return [...ours.filter(([name]) => !names.has(name.toLowerCase())), ...own];
}
