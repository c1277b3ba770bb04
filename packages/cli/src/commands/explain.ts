import type { Explanation, PoolExplanation } from "evenkeel";
import { callAdmin } from "../admin-client.ts";
import { formatTable, printJson, printLines } from "../table.ts";
import type { AdminCommandOptions } from "./admin-commands.ts";
import { describeUpstream } from "./explain-upstream.ts";
import { describeWorkers } from "./explain-workers.ts";

export interface ExplainOptions extends AdminCommandOptions {
  readonly method?: string;
  readonly host?: string;
  /** Each as "Name: value". */
  readonly header?: readonly string[];
  readonly client?: string;
}

/** Prints how a running proxy would handle a request. */
export async function explain(url: string, options: ExplainOptions): Promise<void> {
  const query = new URLSearchParams({ url });
  for (const name of ["method", "host", "client"] as const) {
    if (options[name] !== undefined) query.set(name, options[name]);
  }
  for (const line of options.header ?? []) query.append("header", line);
  const found = await callAdmin<Explanation>(options, "GET", `/api/explain?${query}`);
  if (options.json === true) printJson(found);
  else printLines(describe(found));
}

function describe(explanation: Explanation): string[] {
  const { workers } = explanation;
  const lines = describeDecision(explanation);
  return workers === undefined ? lines : [...lines, "", ...describeWorkers(explanation, workers)];
}

function describeDecision({ request, refusal, routes, route, pool }: Explanation): string[] {
  const { method, host, url, client } = request;
  const lines = [`${method} ${url}${host === "" ? "" : `, Host ${host}`}, from ${client}`];
  if (routes.length > 0) lines.push("", ...describeRoutes(routes, route));
  if (pool !== null) {
    lines.push("", `pool ${pool.name}, ${pool.policy}: ${pool.because}`);
    if (pool.hash !== null) lines.push(`hashed on ${pool.hash.on}: ${pool.hash.key ?? "this request has none"}`);
    if (pool.sticky !== null) lines.push(`cookie ${pool.sticky.cookie}: ${pool.sticky.because}`);
    if (pool.queue.depth > 0) lines.push(`${pool.queue.depth} of at most ${pool.queue.max} wait`);
    if (pool.outage !== null) lines.push(describeOutage(pool.outage));
    lines.push("", ...pool.upstreams.flatMap(describeUpstream));
  }
  if (refusal !== null) {
    lines.push("", `response ${refusal.status}${refusal.code === null ? "" : ` (${refusal.code})`}: ${refusal.reason}`);
  }
  return lines;
}

function describeOutage({ since, waiting, until }: NonNullable<PoolExplanation["outage"]>): string {
  const then =
    until === null
      ? "a request that can connect to no upstream fails at once"
      : `a request that can connect to no upstream waits until ${new Date(until).toISOString()}`;
  return `connections have failed since ${new Date(since).toISOString()}; ${waiting} wait; ${then}`;
}

function describeRoutes(routes: Explanation["routes"], taken: number | null): string[] {
  const rows = routes.map(({ name, pool, matches, host, path, method }, index) => {
    const mismatches = [host, path, method].filter((part) => !part.matches).map(({ because }) => because);
    const why = index === taken ? "taken" : matches ? "matches, but an earlier one does too" : mismatches.join("; ");
    return [index === taken ? "->" : "", name, pool, why];
  });
  return formatTable([["", "ROUTE", "POOL", "WHY"], ...rows]);
}
