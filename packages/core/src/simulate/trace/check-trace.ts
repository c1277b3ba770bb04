/** The mistakes of a trace that it takes two places to see. */

import { limits } from "../../config/defaults.ts";
import { parseDuration } from "../../config/duration.ts";
import { type ConfigIssue, OptionsError } from "../../config/issues.ts";
import { resolveUpstream } from "../../config/resolve.ts";
import type { FailureShares, GeneratedRequests, ScriptStep, Trace, UpstreamModel } from "./trace.ts";
import type { Places } from "./upstream-names.ts";

export function crossCheckTrace({ requests, upstreams = {}, script = [] }: Trace, places: Places): ConfigIssue[] {
  const generated = "rate" in requests;
  return [
    ...(generated ? checkNumber(mostGenerated(requests, script)) : []),
    ...Object.entries(upstreams).flatMap(([name, model]) => [
      ...objections(["upstreams", name], places.objectionTo(name), "key"),
      ...checkModel(model, ["upstreams", name]),
    ]),
    ...script.flatMap((step, index) => checkStep(step, ["script", index], places, generated)),
  ];
}

function mostGenerated({ rate, duration }: GeneratedRequests, script: readonly ScriptStep[]): number {
  const highest = Math.max(rate, ...script.map((step) => step.rate ?? 0));
  return (highest * (parseDuration(duration) ?? 0)) / 1_000;
}

export function checkNumber(count: number): ConfigIssue[] {
  if (count <= limits.simulatedRequests) return [];
  return objections(
    ["requests"],
    `at most ${limits.simulatedRequests} requests are simulated, these are up to ${count}`,
  );
}

function checkModel({ latency, failures }: UpstreamModel, path: ConfigIssue["path"]): ConfigIssue[] {
  const [low, high] =
    typeof latency !== "object" ? [] : "from" in latency ? [latency.from, latency.to] : [latency.p50, latency.p99];
  const upsideDown = low !== undefined && high !== undefined && (parseDuration(low) ?? 0) > (parseDuration(high) ?? 0);
  return [
    ...objections([...path, "latency"], upsideDown ? `${low} is longer than ${high}` : undefined),
    ...checkFailures(failures, [...path, "failures"]),
  ];
}

function checkFailures(failures: FailureShares | undefined, path: ConfigIssue["path"]): ConfigIssue[] {
  const sum = Object.values(failures ?? {}).reduce<number>((total, share = 0) => total + share, 0);
  return objections(path, sum > 1 ? `the shares are ${sum} together, which is more than 1` : undefined);
}

function checkStep(step: ScriptStep, path: ConfigIssue["path"], places: Places, generated: boolean): ConfigIssue[] {
  const { at: _at, upstream, rate, ...changes } = step;
  const does = Object.values(changes).some((change) => change !== undefined);
  const issues = checkFailures(step.failures, [...path, "failures"]);
  if (!does && rate === undefined) issues.push(...objections(path, "nothing happens in this step"));
  if (rate !== undefined && !generated) {
    issues.push(...objections([...path, "rate"], "the requests are listed, and come when they say"));
  }
  if (upstream !== undefined) issues.push(...objections([...path, "upstream"], places.objectionTo(upstream)));
  else if (does) issues.push(...objections(path, "say to which upstream, with the key upstream"));
  if (step.join !== undefined && upstream !== undefined) issues.push(...checkJoin(step, upstream, path));
  return issues;
}

/** A name that no id can be is said to be none here, before the simulation begins. */
function checkJoin({ join }: ScriptStep, name: string, path: ConfigIssue["path"]): ConfigIssue[] {
  try {
    resolveUpstream({ ...(join as NonNullable<typeof join>), id: name.slice(name.indexOf("/") + 1) });
    return [];
  } catch (error) {
    if (!(error instanceof OptionsError)) throw error;
    return error.issues.map(({ message }) => ({ path: [...path, "upstream"], message }));
  }
}

function objections(path: ConfigIssue["path"], message: string | undefined, at?: "key"): ConfigIssue[] {
  return message === undefined ? [] : [{ path, message, ...(at !== undefined && { at }) }];
}
