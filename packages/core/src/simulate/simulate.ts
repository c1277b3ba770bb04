/**
 * Replays a day's traffic in a second: the real pools, policies, detectors, checkers, queues and retry rules, on virtual time
 * and seeded chance, over upstreams that answer by a model instead of over sockets.
 *
 *     arrivals ──> route ──> queue, pick ──> modelled upstream ──> answer, retry
 *     script ───> weights, states, members, deaths, latencies
 *
 * Arrivals, upstreams and the proxy each have chance of their own: with the same seed the same requests come whatever the
 * options, so that two configurations can be compared.
 */

import { limits } from "../config/defaults.ts";
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
 * Reports what shares, waits, ejections, retries, failures and latencies a proxy with these options would see. Opens no
 * socket. The same options, trace and seed give the same report.
 *
 * Members are those listed: nothing is looked up in DNS, and a script says who joins. Rejects with an `OptionsError` that
 * names every mistake, those of the trace under `trace`; of a long list of requests those in the first thousand that has one.
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
  const { seed = 1, onProgress } = settings ?? {};
  const resolved = withoutDiscovery(resolveOptions(options));
  const simulation = new Simulation(resolved, resolveTrace(trace, resolved), seed);
  simulation.start();
  for (let steps = 1; simulation.step(); steps++) {
    const turn = steps % limits.simulationTurn === 0;
    // A long simulation is not to keep others from the event loop.
    if (simulation.takeUnsettled() || turn) await settle();
    if (turn) onProgress?.(simulation.progress);
  }
  return freezeDeep(simulation.end());
}

function withoutDiscovery(options: ResolvedOptions): ResolvedOptions {
  const pools = [...options.pools].map(([name, pool]) => [name, { ...pool, discovery: undefined }] as const);
  return { ...options, pools: new Map(pools) };
}
