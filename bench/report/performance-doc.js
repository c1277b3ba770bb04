import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { contenders, direct } from "../contenders/list.js";
import { profileRows } from "../profile/measure.js";
import { tableOf, toMarkdown } from "./tables.js";
import { targetRows } from "./targets.js";

const docs = path.resolve(import.meta.dirname, "../../docs");

/** Writes the results between the marks of docs/performance.md, and all values of all turns into performance.json. */
export function writePerformanceDoc(results) {
  const file = path.join(docs, "performance.md");
  const sections = {
    run: describeRun(results),
    targets: toMarkdown(targetRows(results.workloads), 1),
    tables: Object.values(results.workloads)
      .map((workload) => describeWorkload(workload, results.base))
      .join("\n\n"),
    profile: toMarkdown(profileRows(results.profile)),
    contenders: toMarkdown([["contender", "set up as"], ...settingsRows()], 2),
  };
  let text = readFileSync(file, "utf8");
  for (const [name, content] of Object.entries(sections)) text = replaceSection(text, name, content);
  writeFileSync(file, text);
  writeFileSync(path.join(docs, "performance.json"), `${JSON.stringify(rounded(results), null, 1)}\n`);
}

function replaceSection(text, name, content) {
  const [opening, closing] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  const [from, to] = [text.indexOf(opening), text.indexOf(closing)];
  if (from === -1 || to < from) throw new Error(`docs/performance.md has no place for ${name}`);
  return `${text.slice(0, from + opening.length)}\n\n${content}\n\n${text.slice(to)}`;
}

function describeRun({ date, commit, node, machine, versions, backends, load, quick }) {
  const { cpu, cores, system, pinning } = machine;
  const pinned =
    pinning === undefined
      ? "Nothing was pinned."
      : `The proxy had core ${pinning.proxy} for itself; clients and backends had ${pinning.others.join(", ")}.`;
  const others = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${date}, commit ${commit}, Node ${node}, ${cores} cores of ${cpu}, ${system}, load ${machine.load.toFixed(1)} at the start.`,
    `Backends: ${backends}. Load: ${load}. ${pinned}${quick ? " A quick run: one turn each." : ""}`,
    `\nVersions: ${others.join(", ")}.`,
  ].join("\n");
}

function describeWorkload(workload, base) {
  const { title, rounds, seconds } = workload;
  const turns = rounds === undefined ? "" : `\n\nMedians of ${rounds} turns of ${seconds} s each.`;
  return `### ${title}${turns}\n\n${toMarkdown(tableOf(workload, base))}`;
}

function settingsRows() {
  return [...contenders, direct].map(({ title, settings }) => [title, settings]);
}

/** Six digits are more precise than any measurement. */
function rounded(value) {
  if (typeof value === "number") return Number(value.toPrecision(6));
  if (Array.isArray(value)) return value.map(rounded);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, rounded(each)]));
}
