import { checkAgainst } from "../../config/check.ts";
import { parseDuration } from "../../config/duration.ts";
import { type ConfigIssue, OptionsError } from "../../config/issues.ts";
import type { ResolvedOptions } from "../../config/resolved.ts";
import { resolveLatency } from "../latency.ts";
import { countListed, readListedRequests, withFirstChunk } from "../listed-requests.ts";
import { checkCount, crossCheckTrace } from "./check-trace.ts";
import type {
  ResolvedFailure,
  ResolvedGenerator,
  ResolvedModel,
  ResolvedRequest,
  ResolvedStep,
  ResolvedTrace,
  UpstreamName,
} from "./resolved-trace.ts";
import type { FailureShares, GeneratedRequests, ScriptStep, Trace, TracedRequest, UpstreamModel } from "./trace.ts";
import { traceSchema } from "./trace-schema.ts";
import { qualifiedName, UpstreamNames } from "./upstream-names.ts";

const defaultKeys = 1_000;

/**
 * Validates a trace and fills in defaults. Throws an `OptionsError` that names every mistake, of a long list of requests those
 * of the first chunk that has one.
 */
export function resolveTrace(given: Trace, options: ResolvedOptions): ResolvedTrace {
  const tooMany = checkCount(countListed(given) ?? 0);
  if (tooMany.length > 0) throw toError(tooMany);
  const { issues, data } = checkAgainst(traceSchema, withFirstChunk(given));
  if (data === undefined || issues.length > 0) throw toError(issues);
  const { requests, upstreams = {}, script = [] } = data;
  const names = new UpstreamNames(options, script);
  const mistakes = crossCheckTrace(data, names);
  if (mistakes.length > 0) throw toError(mistakes);
  const models = Object.entries(upstreams).map(
    ([name, model]) => [qualifiedName(names.find(name) as UpstreamName), resolveModel(model)] as const,
  );
  return {
    requests: "rate" in requests ? toGenerator(requests) : toRequests(given.requests as readonly TracedRequest[]),
    models: new Map(models),
    script: script.map((step) => toStep(step, names)).sort((a, b) => a.atMs - b.atMs),
  };
}

/** Fills in defaults. An upstream without a model responds after 20 ms and never fails. */
export function resolveModel({ latency = "20ms", failures, concurrency = Infinity }: UpstreamModel): ResolvedModel {
  return { latency: resolveLatency(latency, milliseconds), failures: toFailures(failures ?? {}), concurrency };
}

function toError(issues: readonly ConfigIssue[]): OptionsError {
  return new OptionsError(issues.map((issue) => ({ ...issue, path: ["trace", ...issue.path] })));
}

function toGenerator({
  rate,
  duration,
  keys = defaultKeys,
  method = "GET",
  url = "/",
}: GeneratedRequests): ResolvedGenerator {
  return { rate, durationMs: milliseconds(duration), keys, method, url };
}

function toRequests(listed: readonly TracedRequest[]): ResolvedRequest[] {
  const requests: ResolvedRequest[] = [];
  const issues = readListedRequests(listed, (request) => requests.push(toRequest(request)));
  if (issues.length > 0) throw toError(issues);
  return requests;
}

function toRequest({ at, key, method = "GET", url = "/", client }: TracedRequest): ResolvedRequest {
  return { atMs: typeof at === "number" ? at : milliseconds(at), key, method, url, client };
}

function toStep(step: ScriptStep, names: UpstreamNames): ResolvedStep {
  const { at, upstream, rate, slower, down, failures, weight, state, join, leave = false } = step;
  const name = upstream === undefined ? undefined : names.find(upstream);
  return {
    atMs: milliseconds(at),
    name,
    rate,
    slower,
    down,
    failures: failures && toFailures(failures),
    weight,
    state,
    join: join && name && { ...join, id: name.id },
    leave,
  };
}

function toFailures(shares: FailureShares): ResolvedFailure[] {
  return Object.entries(shares).map(([how, share = 0]) => ({ how: toHow(how), share }));
}

function toHow(how: string): ResolvedFailure["how"] {
  return how === "refuse" || how === "reset" || how === "hang" ? how : Number(how);
}

/** The schema has validated the duration. */
function milliseconds(text: string): number {
  return parseDuration(text) ?? 0;
}
