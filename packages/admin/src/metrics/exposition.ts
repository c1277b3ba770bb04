/** The text format of Prometheus, version 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/). */

import { setImmediate as nextTurn } from "node:timers/promises";
import { limits } from "../limits.ts";
import type { Family, Labels, Sample } from "./metric-family.ts";

/** Lines between two looks at the clock. */
const linesPerLook = 64;

/**
 * Renders families whose samples may be made one by one. A proxy with a thousand upstreams has tens of thousands of samples, so
 * that its requests go on, this does so for at most `limits.renderMs` in one turn of the event loop.
 */
export async function renderFamilies(families: Iterable<Family>): Promise<Buffer> {
  const slices: Buffer[] = [];
  let text = "";
  let lines = 0;
  let began = performance.now();
  for (const line of linesOf(families)) {
    text += line;
    if (++lines % linesPerLook !== 0 || performance.now() - began < limits.renderMs) continue;
    slices.push(Buffer.from(text));
    text = "";
    await nextTurn();
    began = performance.now();
  }
  return Buffer.concat([...slices, Buffer.from(text)]);
}

function* linesOf(families: Iterable<Family>): Iterable<string> {
  for (const { name, help, type, values } of families) {
    yield `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
    for (const sample of values) yield lineOf(name, sample);
  }
}

function lineOf(name: string, { metricName = name, labels, value }: Sample): string {
  return `${metricName}${formatLabels(labels)} ${formatValue(value)}\n`;
}

function formatLabels(labels: Labels): string {
  let text = "";
  for (const name in labels) text += `${text === "" ? "{" : ","}${name}="${escapeValue(String(labels[name]))}"`;
  return text === "" ? "" : `${text}}`;
}

function formatValue(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}

function escapeValue(value: string): string {
  return /[\\"\n]/.test(value) ? escapeHelp(value).replaceAll('"', '\\"') : value;
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
