/**
 * Simulates a proxy under load: the real pools, policies, outlier detectors, health checkers, queues and retry rules, on
 * virtual time with a seeded random source, over modelled upstreams instead of sockets.
 *
 *     arrivals ──> proxy ──> route ──> queue, pick ──> modelled upstream ──> response, retry
 *     script ────> weights, states, members, outages, latencies
 *
 * Arrivals, upstreams and each proxy have separate random sources. So the same seed yields the same requests with any options,
 * and two configurations can be compared.
 */

import { limits } from "../config/defaults.ts";
import { OptionsError } from "../config/issues.ts";
import type { ProxyOptions } from "../config/options.ts";
import { resolveOptions } from "../config/resolve.ts";
import type { ResolvedOptions } from "../config/resolved.ts";
import { freezeDeep } from "../runtime/freeze-deep.ts";
import { settle } from "../runtime/virtual-clock.ts";
import type { SimulationReport } from "./report/report.ts";
import { Simulation } from "./simulation.ts";
import { resolveTrace } from "./trace/resolve-trace.ts";
import type { SimulateSettings, Trace } from "./trace/trace.ts";

/**
 * Reports the shares, waits, ejections, retries, failures and latencies of a proxy with these options. Opens no socket. The
 * same options, trace and seed yield the same report.
 *
 * Members are the listed upstreams and those that the script adds; there are no DNS lookups. Rejects with an `OptionsError`
 * that names every mistake, those of the trace under `trace`. Of a long list of requests it names the mistakes in the first
 * thousand requests that have any.
 *
 * @example
 * const trace = { requests: { rate: 200, duration: "60s" }, script: [{ at: "30s", upstream: "b", slower: 10 }] };
 * process.stdout.write(formatReport(await simulate(options, trace, { seed: 1 })));
 */
export async function simulate(
  options: ProxyOptions,
  trace: Trace,
  settings?: SimulateSettings | null,
): Promise<SimulationReport> {
  const { seed = 1, workers = 1, onProgress } = settings ?? {};
  checkWorkers(workers);
  const resolved = withoutDiscovery(resolveOptions(options));
  const simulation = new Simulation(resolved, resolveTrace(trace, resolved), { seed, workers });
  simulation.start();
  for (let steps = 1; simulation.step(); steps++) {
    const turn = steps % limits.simulationTurn === 0;
    // A long simulation must not block the event loop.
    if (simulation.takeUnsettled() || turn) await settle();
    if (turn) onProgress?.(simulation.progress);
  }
  return freezeDeep(simulation.end());
}

function checkWorkers(workers: number): void {
  if (Number.isInteger(workers) && workers >= 1 && workers <= limits.simulatedWorkers) return;
  const message = `expected a whole number from 1 to ${limits.simulatedWorkers}, found ${String(workers)}`;
  throw new OptionsError([{ path: ["workers"], message }]);
}

function withoutDiscovery(options: ResolvedOptions): ResolvedOptions {
  const pools = [...options.pools].map(([name, pool]) => [name, { ...pool, discovery: undefined }] as const);
  return { ...options, pools: new Map(pools) };
}
