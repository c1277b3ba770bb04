import { contenders, direct } from "../contenders/list.js";
import { median, spreadOf } from "./statistics.js";

const titles = Object.fromEntries([...contenders, direct].map(({ name, title }) => [name, title]));

/** Workloads that measure the memory of what is held or read, with the headline and the figure of their column. */
const memory = {
  tunnels: ["kB a tunnel", ({ perConnection }) => (perConnection / 1_000).toFixed(1)],
  idle: ["kB a connection", ({ perConnection }) => (perConnection / 1_000).toFixed(1)],
  "slow-reader": ["MB more", ({ extra }) => (extra / 1e6).toFixed(1)],
};

export function titleOf(name) {
  return titles[name] ?? name;
}

/** Rows of words, the first of them the headline: the heats one after the other, each contender once. */
export function tableOf({ name, heats }, base) {
  if (memory[name] !== undefined) return memoryTable(heats, ...memory[name]);
  const unit = name === "echo" ? "message" : "request";
  const paced = heats.some(({ perSecond }) => perSecond !== undefined);
  const headline = ["", "of the base", "CPU us", `${unit}s/s`, "core busy", "peak RSS MB"];
  if (paced) headline.push("p50 ms", "p99 ms", "at a second");
  const shown = new Set();
  const rows = heats.flatMap(({ perSecond, contenders: results }) => {
    const own = results[base] === undefined ? Object.keys(results)[0] : base;
    return Object.entries(results).flatMap(([contender, figures]) => {
      if (shown.has(contender)) return [];
      shown.add(contender);
      const row = rowOf(contender, figures, { own, cpu: results[own].cpu, columns: headline.length });
      return [paced && figures.failed === undefined ? [...row, ...latencies(figures, perSecond)] : row];
    });
  });
  return [headline, ...rows];
}

/** For a terminal: numbers to the right. */
export function toText(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) =>
      row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join("  "),
    )
    .join("\n");
}

export function toMarkdown([headline, ...rows], textColumns = 1) {
  const rule = headline.map((_, column) => (column < textColumns ? "---" : "---:"));
  return [headline, rule, ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

function rowOf(contender, figures, { own, cpu: baseCpu, columns }) {
  const { cpu, rate, busy, peakRss, failed } = figures;
  if (failed !== undefined) return failedRow(contender, failed, columns);
  const bare = contender === direct.name;
  return [
    titleOf(contender),
    bare ? "" : contender === own ? "base" : spreadOf(cpu, baseCpu),
    bare ? "" : median(cpu).toFixed(1),
    Math.round(median(rate)).toLocaleString("en"),
    ...(bare ? ["", ""] : [`${Math.round(median(busy) * 100)} %`, (peakRss / 1e6).toFixed(0)]),
  ];
}

function latencies({ p50, p99 }, perSecond) {
  return [fixed(median(p50), 2), fixed(median(p99), 2), perSecond === undefined ? "" : perSecond.toLocaleString("en")];
}

function memoryTable(heats, headline, toWords) {
  return [
    ["", headline],
    ...heats.flatMap(({ contenders: results }) =>
      Object.entries(results).map(([contender, figures]) =>
        figures.failed === undefined ? [titleOf(contender), toWords(figures)] : failedRow(contender, figures.failed, 2),
      ),
    ),
  ];
}

function failedRow(contender, failed, columns) {
  const [line] = failed.trim().split("\n");
  return [titleOf(contender), `failed: ${line}`.slice(0, 60), ...Array(columns - 2).fill("")];
}

function fixed(figure, digits) {
  return Number.isNaN(figure) ? "" : figure.toFixed(digits);
}
