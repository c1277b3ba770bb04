import type { Distribution, PoolReport, SimulationEvent, SimulationReport, UpstreamReport } from "./report.ts";

const maxEvents = 40;

/** Formats a report as text, with tables of pools, upstreams and events. */
export function formatReport(report: SimulationReport): string {
  const { seed, requests, durationMs, refused, pools, events, eventsLeftOut } = report;
  const lines = [`${requests} requests in ${seconds(durationMs)}, seed ${seed}`];
  const refusals = describeCounts(refused);
  if (refusals !== "") lines.push(`refused before routing to a pool: ${refusals}`);
  for (const pool of pools) lines.push("", ...describePool(pool));
  if (events.length > 0) lines.push("", "events", ...describeEvents(events, eventsLeftOut));
  return `${lines.join("\n")}\n`;
}

function describePool(pool: PoolReport): string[] {
  const { name, policy, requests, failed, outcomes, latency, queue, retries, retryBudgetExhausted, upstreams } = pool;
  const lines = [
    `pool ${name}, ${policy}`,
    `  requests  ${requests}: ${describeCounts(outcomes) || "none"}; ${percent(failed, requests)} failed`,
    `  latency   ${describeDistribution(latency)}`,
  ];
  if (queue.deepest > 0) {
    lines.push(
      `  queue     ${queue.waited} waited, at most ${queue.deepest} at a time; ${describeDistribution(queue.wait)}`,
    );
  }
  const retried = describeCounts(retries);
  const exhausted = retryBudgetExhausted === 0 ? "" : `; ${retryBudgetExhausted} refused by the budget`;
  if (retried !== "" || exhausted !== "") lines.push(`  retries   ${retried || "none"}${exhausted}`);
  const header = [
    "UPSTREAM",
    "WEIGHT",
    "REQUESTS",
    "SHARE",
    "DUE",
    "P50 MS",
    "P99 MS",
    "IN FLIGHT",
    "EJECTED",
    "OUTCOMES",
  ];
  return [...lines, "", ...toTable([header, ...upstreams.map(toRow)]).map((line) => `  ${line}`)];
}

function toRow(upstream: UpstreamReport): string[] {
  const { id, weight, requests, share, due, latency, mostInFlight, ejections, outcomes } = upstream;
  return [
    id,
    String(weight),
    String(requests),
    percent(share, 1),
    percent(due, 1),
    milliseconds(latency.p50),
    milliseconds(latency.p99),
    String(mostInFlight),
    String(ejections),
    describeCounts(outcomes),
  ];
}

/** Lists the first `maxEvents` events. */
function describeEvents(events: readonly SimulationEvent[], leftOut: number): string[] {
  const rows = events.slice(0, maxEvents).map(({ at, pool, upstream, worker, event, text }) => {
    const name = upstream === "" ? "" : `${pool}/${upstream}`;
    return [seconds(at), name, event, worker === undefined ? text : `${text} (worker ${worker})`];
  });
  const more = events.length - rows.length + leftOut;
  return [...toTable(rows).map((line) => `  ${line}`), ...(more > 0 ? [`  and ${more} more`] : [])];
}

function describeCounts(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([what, count]) => `${count} x ${what}`)
    .join(", ");
}

function describeDistribution({ count, p50, p90, p99, max }: Distribution): string {
  if (count === 0) return "none";
  const values = { p50, p90, p99, max };
  return Object.entries(values)
    .map(([name, ms]) => `${name} ${milliseconds(ms)} ms`)
    .join(", ");
}

function milliseconds(ms: number | null): string {
  return ms === null ? "-" : ms.toFixed(1);
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function percent(part: number, whole: number): string {
  return whole === 0 ? "-" : `${((100 * part) / whole).toFixed(1)} %`;
}

function toTable(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
