import { median, medianRatio, spreadOf } from "./statistics.js";
import { titleOf } from "./tables.js";

const targets = [
  cpu("small", "cli", "nginx", 1.75),
  cpu("small", "cli", "undici", 0.65),
  cpu("small", "cli-log", "cli", 1.1),
  cpu("small", "core", "undici", 0.85),
  cpu("small", "core", "http-proxy-agent", 0.5),
  cpu("small", "express", "hpm", 0.38),
  cpu("small", "fastify", "fastify-http-proxy", 0.4),
  cpu("100k", "cli", "nginx-unbuffered", 1),
  cpu("100k", "cli", "nginx", 1.2),
  cpu("http2", "cli-h2", "h2-wire", 1.25),
  p99("small", "listen", "core", 1),
  memory("slow-reader", "cli", "1 GB to a slow reader", ({ extra }) => extra / 1e6, 32, "MB"),
  memory("idle", "cli", "an idle connection", ({ perConnection }) => perConnection / 1_000, 6, "kB"),
  memory("tunnels", "cli", "an idle tunnel", ({ perConnection }) => perConnection / 1_000, 32, "kB"),
];

/** Targets beside what was measured, for those whose workloads have run. Rows of words, the first of them the headline. */
export function targetRows(workloads) {
  const rows = targets.flatMap(({ label, most, unit, measure }) => {
    const { figure, words } = measure(workloads) ?? {};
    if (figure === undefined || Number.isNaN(figure)) return [];
    const missedBy = Math.round((figure / most - 1) * 100);
    return [[label, `${most}${unit}`, words, figure <= most ? "met" : `missed by ${missedBy} %`]];
  });
  return [["", "target: at most", "measured", ""], ...rows];
}

function cpu(workload, one, other, most) {
  const what = workload === "small" ? "CPU" : `CPU, ${workload}`;
  return {
    ...{ label: `${what}: ${titleOf(one)} to ${titleOf(other)}`, most, unit: "" },
    measure: (workloads) => {
      const [figures, others] = pair(workloads[workload], one, other);
      if (figures === undefined) return undefined;
      return { figure: medianRatio(figures.cpu, others.cpu), words: spreadOf(figures.cpu, others.cpu) };
    },
  };
}

function p99(workload, one, other, most) {
  return {
    ...{ label: `p99 at half of the saturation: ${titleOf(one)} to ${titleOf(other)}`, most, unit: "" },
    measure: (workloads) => {
      const [figures, others] = pair(workloads[workload], one, other);
      if (figures === undefined || figures.p99.length === 0) return undefined;
      return { figure: median(figures.p99) / median(others.p99), words: spreadOf(figures.p99, others.p99) };
    },
  };
}

function memory(workload, name, label, toFigure, most, unit) {
  return {
    ...{ label: `Memory: ${label}, ${titleOf(name)}`, most, unit: ` ${unit}` },
    measure: (workloads) => {
      const figures = workloads[workload]?.heats.map(({ contenders }) => contenders[name]).find(isMeasured);
      if (figures === undefined) return undefined;
      const figure = toFigure(figures);
      return { figure, words: `${figure.toFixed(1)} ${unit}` };
    },
  };
}

/** The figures of two contenders in the first heat that measured both; nothing without one. */
function pair(workload, one, other) {
  const heat = workload?.heats.find(({ contenders }) => isMeasured(contenders[one]) && isMeasured(contenders[other]));
  return heat === undefined ? [] : [heat.contenders[one], heat.contenders[other]];
}

function isMeasured(figures) {
  return figures !== undefined && figures.failed === undefined;
}
