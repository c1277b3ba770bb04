import type { Random } from "../runtime/random.ts";
import type { ResolvedLatency } from "./trace/resolved-trace.ts";
import type { LatencyModel } from "./trace/trace.ts";

/** The 99th percentile of the standard normal distribution. */
const z99 = 2.3263478740408408;

/** A lognormal distribution is given by its median, exp(mu), and its 99th percentile, exp(mu + sigma z99). */
export function resolveLatency(model: LatencyModel, toMs: (text: string) => number): ResolvedLatency {
  if (typeof model === "string") return { kind: "fixed", ms: toMs(model) };
  if ("from" in model) return { kind: "uniform", fromMs: toMs(model.from), toMs: toMs(model.to) };
  const mu = Math.log(toMs(model.p50));
  return { kind: "lognormal", mu, sigma: (Math.log(toMs(model.p99)) - mu) / z99 };
}

export function drawLatency(model: ResolvedLatency, random: Random): number {
  if (model.kind === "fixed") return model.ms;
  if (model.kind === "uniform") return model.fromMs + random() * (model.toMs - model.fromMs);
  return Math.exp(model.mu + model.sigma * drawNormal(random));
}

/** The Box-Muller transform. */
function drawNormal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
