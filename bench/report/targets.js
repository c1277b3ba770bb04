import { medianRatio } from "./statistics.js";
import { titleOf } from "./tables.js";

const targets = [
  cpu("small", "core", "undici", 0.95),
  cpu("small", "core", "http-proxy-agent", 0.5),
  cpu("small", "core", "fastify-http-proxy", 0.55),
  cpu("small", "core", "fast-proxy", 0.75),
  cpu("small", "core", "nginx", 2),
  cpu("small", "express", "hpm", 0.4),
  cpu("small", "fastify", "fastify-http-proxy", 0.75),
  cpu("small", "core-log", "core", 1.15),
  cpu("small", "cli-log", "cli", 1.1),
  cpu("100k", "core", "undici", 1),
  cpu("100k", "core", "nginx-unbuffered", 1),
  memory("slow-reader", "core", "1 GB to a slow reader", ({ extra }) => extra / 1e6, 32, "MB"),
  memory("tunnels", "core", "an idle tunnel", ({ perTunnel }) => perTunnel / 1_000, 40, "kB"),
];

/** Targets beside what was measured, for those whose workloads have run. Rows of words, the first of them the headline. */
export function targetRows(workloads) {
  const rows = targets.flatMap(({ label, most, unit, measure }) => {
    const measured = measure(workloads);
    if (measured === undefined || Number.isNaN(measured)) return [];
    const missedBy = Math.round((measured / most - 1) * 100);
    const verdict = measured <= most ? "met" : `missed by ${missedBy} %`;
    const digits = unit === "" ? 2 : 1;
    return [[label, `${most}${unit}`, `${measured.toFixed(digits)}${unit}`, verdict]];
  });
  return [["", "target: at most", "measured", ""], ...rows];
}

function cpu(workload, one, other, most) {
  const measure = (workloads) => {
    const results = workloads[workload]?.contenders;
    const figures = [results?.[one], results?.[other]];
    if (figures.some((each) => each === undefined || each.failed !== undefined)) return undefined;
    return medianRatio(figures[0].cpu, figures[1].cpu);
  };
  const what = workload === "small" ? "CPU" : `CPU, ${workload}`;
  return { label: `${what}: ${titleOf(one)} to ${titleOf(other)}`, most, unit: "", measure };
}

function memory(workload, name, label, toFigure, most, unit) {
  const measure = (workloads) => {
    const figures = workloads[workload]?.contenders[name];
    return figures === undefined || figures.failed !== undefined ? undefined : toFigure(figures);
  };
  return { label: `Memory: ${label}, ${titleOf(name)}`, most, unit: ` ${unit}`, measure };
}
