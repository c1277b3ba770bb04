/** Cross checks of a trace: the mistakes that the schema cannot find. */

import { limits } from "../../config/defaults.ts";
import { parseDuration } from "../../config/duration.ts";
import { type ConfigIssue, OptionsError } from "../../config/issues.ts";
import { resolveUpstream } from "../../config/resolve.ts";
import type { FailureShares, GeneratedRequests, ScriptStep, Trace, UpstreamModel } from "./trace.ts";
import type { UpstreamNames } from "./upstream-names.ts";

export function crossCheckTrace({ requests, upstreams = {}, script = [] }: Trace, names: UpstreamNames): ConfigIssue[] {
  const generated = "rate" in requests;
  return [
    ...(generated ? checkCount(maxGenerated(requests, script)) : []),
    ...Object.entries(upstreams).flatMap(([name, model]) => [
      ...issueAt(["upstreams", name], names.errorOf(name), "key"),
      ...checkModel(model, ["upstreams", name]),
    ]),
    ...script.flatMap((step, index) => checkStep(step, ["script", index], names, generated)),
  ];
}

function maxGenerated({ rate, duration }: GeneratedRequests, script: readonly ScriptStep[]): number {
  const highest = Math.max(rate, ...script.map((step) => step.rate ?? 0));
  return (highest * (parseDuration(duration) ?? 0)) / 1_000;
}

export function checkCount(count: number): ConfigIssue[] {
  if (count <= limits.simulatedRequests) return [];
  return issueAt(
    ["requests"],
    `at most ${limits.simulatedRequests} requests can be simulated, this trace has up to ${count}`,
  );
}

function checkModel({ latency, failures }: UpstreamModel, path: ConfigIssue["path"]): ConfigIssue[] {
  const [low, high] =
    typeof latency !== "object" ? [] : "from" in latency ? [latency.from, latency.to] : [latency.p50, latency.p99];
  const reversed = low !== undefined && high !== undefined && (parseDuration(low) ?? 0) > (parseDuration(high) ?? 0);
  return [
    ...issueAt([...path, "latency"], reversed ? `${low} is longer than ${high}` : undefined),
    ...checkFailures(failures, [...path, "failures"]),
  ];
}

function checkFailures(failures: FailureShares | undefined, path: ConfigIssue["path"]): ConfigIssue[] {
  const sum = Object.values(failures ?? {}).reduce<number>((total, share = 0) => total + share, 0);
  return issueAt(path, sum > 1 ? `the shares add up to ${sum}, which is more than 1` : undefined);
}

function checkStep(
  step: ScriptStep,
  path: ConfigIssue["path"],
  names: UpstreamNames,
  generated: boolean,
): ConfigIssue[] {
  const { at: _at, upstream, rate, ...changes } = step;
  const changesUpstream = Object.values(changes).some((change) => change !== undefined);
  const issues = checkFailures(step.failures, [...path, "failures"]);
  if (!changesUpstream && rate === undefined) issues.push(...issueAt(path, "this step changes nothing"));
  if (rate !== undefined && !generated) {
    issues.push(...issueAt([...path, "rate"], "listed requests have no rate"));
  }
  if (upstream !== undefined) issues.push(...issueAt([...path, "upstream"], names.errorOf(upstream)));
  else if (changesUpstream) issues.push(...issueAt(path, "the key upstream is missing"));
  if (step.join !== undefined && upstream !== undefined) issues.push(...checkJoin(step, upstream, path));
  return issues;
}

/** Validates the id of a joining upstream before the simulation begins. */
function checkJoin({ join }: ScriptStep, name: string, path: ConfigIssue["path"]): ConfigIssue[] {
  try {
    resolveUpstream({ ...(join as NonNullable<typeof join>), id: name.slice(name.indexOf("/") + 1) });
    return [];
  } catch (error) {
    if (!(error instanceof OptionsError)) throw error;
    return error.issues.map(({ message }) => ({ path: [...path, "upstream"], message }));
  }
}

function issueAt(path: ConfigIssue["path"], message: string | undefined, at?: "key"): ConfigIssue[] {
  return message === undefined ? [] : [{ path, message, ...(at !== undefined && { at }) }];
}
