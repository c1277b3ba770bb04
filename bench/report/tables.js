import { contenders, direct } from "../contenders/list.js";
import { median, medianRatio } from "./statistics.js";

const titles = Object.fromEntries([...contenders, direct].map(({ name, title }) => [name, title]));

export function titleOf(name) {
  return titles[name] ?? name;
}

/** Rows of words, the first of them the headline. */
export function tableOf({ name, perSecond, contenders: results }, base) {
  if (name === "tunnels") return memoryTable(results, "kB a tunnel", ({ perTunnel }) => (perTunnel / 1_000).toFixed(1));
  if (name === "slow-reader") return memoryTable(results, "MB more", ({ extra }) => (extra / 1e6).toFixed(1));
  const unit = name === "echo" ? "message" : "request";
  const headline = ["", `CPU us/${unit}`, `of ${titleOf(base)}`, `${unit}s/s`, "core busy", "peak RSS MB"];
  if (perSecond !== undefined) headline.push(`p50 ms at ${perSecond}/s`, "p99 ms");
  const rows = Object.entries(results).map(([contender, figures]) => {
    const { cpu, rate, busy, peakRss, p50, p99, failed } = figures;
    if (failed !== undefined) return failedRow(contender, failed, headline.length);
    const own = contender === direct.name;
    const ratio = results[base] === undefined ? Number.NaN : medianRatio(cpu, results[base].cpu);
    return [
      titleOf(contender),
      ...(own ? ["", ""] : [median(cpu).toFixed(1), fixed(ratio, 2)]),
      Math.round(median(rate)).toLocaleString("en"),
      ...(own ? ["", ""] : [`${Math.round(median(busy) * 100)} %`, (peakRss / 1e6).toFixed(0)]),
      ...(perSecond === undefined ? [] : [fixed(median(p50), 2), fixed(median(p99), 2)]),
    ];
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

function memoryTable(results, headline, toWords) {
  return [
    ["", headline],
    ...Object.entries(results).map(([contender, figures]) =>
      figures.failed === undefined ? [titleOf(contender), toWords(figures)] : failedRow(contender, figures.failed, 2),
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
