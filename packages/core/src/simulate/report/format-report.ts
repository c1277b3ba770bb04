import type { Distribution, PoolReport, SimulationEvent, SimulationReport, UpstreamReport } from "./report.ts";

const mostEvents = 40;

/** A report as text for people: pools, upstreams and what happened, in tables. */
export function formatReport(report: SimulationReport): string {
  const { seed, requests, durationMs, refused, pools, events, eventsLeftOut } = report;
  const lines = [`${requests} requests in ${seconds(durationMs)}, seed ${seed}`];
  const turnedAway = describeCounts(refused);
  if (turnedAway !== "") lines.push(`before any pool: ${turnedAway}`);
  for (const pool of pools) lines.push("", ...describePool(pool));
  if (events.length > 0) lines.push("", "what happened", ...describeEvents(events, eventsLeftOut));
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
      `  queue     ${queue.waited} waited, ${queue.deepest} at most at a time; ${describeDistribution(queue.wait)}`,
    );
  }
  const retried = describeCounts(retries);
  const exhausted = retryBudgetExhausted === 0 ? "" : `; ${retryBudgetExhausted} more were over the budget`;
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
    "ANSWERS",
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

/** The first ones, when there are many. */
function describeEvents(events: readonly SimulationEvent[], leftOut: number): string[] {
  const rows = events.slice(0, mostEvents).map(({ at, pool, upstream, event, text }) => {
    return [seconds(at), upstream === "" ? "" : `${pool}/${upstream}`, event, text];
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
  const figures = { p50, p90, p99, max };
  return Object.entries(figures)
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
