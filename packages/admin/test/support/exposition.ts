/** A strict parser of the Prometheus text format 0.0.4: every scraper accepts what it accepts. */

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly samples: Sample[];
}

export function parseExposition(text: string): ReadonlyMap<string, Family> {
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const families = new Map<string, Family>();
  const series = new Set<string>();
  let help: { name: string; text: string } | undefined;
  let family: Family | undefined;

  for (const line of text.split("\n")) {
    if (line === "") continue;
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
    if (comment !== null) {
      const [, keyword, name = "", rest = ""] = comment;
      if (keyword === "HELP") {
        if (families.has(name)) throw new Error(`${name} comes twice`);
        help = { name, text: rest };
        family = undefined;
      } else {
        if (help?.name !== name) throw new Error(`TYPE of ${name} without its HELP`);
        if (!["counter", "gauge", "histogram", "summary"].includes(rest)) throw new Error(`unknown type: ${line}`);
        family = { name, help: help.text, type: rest, samples: [] };
        families.set(name, family);
      }
      continue;
    }
    if (family === undefined) throw new Error(`a sample outside a family: ${line}`);
    const sample = parseSample(line);
    const suffix = sample.name.slice(family.name.length);
    const suffixes = family.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
    if (!sample.name.startsWith(family.name) || !suffixes.includes(suffix)) {
      throw new Error(`${sample.name} is no part of the ${family.type} ${family.name}`);
    }
    const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
    if (series.has(key)) throw new Error(`the same series twice: ${line}`);
    series.add(key);
    if (family.type === "counter" && !(sample.value >= 0)) throw new Error(`a counter below zero: ${line}`);
    family.samples.push(sample);
  }
  for (const found of families.values()) if (found.type === "histogram") checkHistogram(found);
  return families;
}

/** Returns the value of the sample with exactly these labels. Throws when there is none. */
export function sampleValue(
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const family = families.get(name.replace(/_(?:bucket|sum|count)$/, "")) ?? families.get(name);
  const wanted = JSON.stringify(Object.entries(labels).sort());
  const found = family?.samples.find(
    (sample) => sample.name === name && JSON.stringify(Object.entries(sample.labels).sort()) === wanted,
  );
  if (found === undefined) throw new Error(`no sample ${name} ${wanted}`);
  return found.value;
}

function parseSample(line: string): Sample {
  const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
  if (match === null) throw new Error(`not a sample: ${line}`);
  const [, name = "", labelText = "", valueText = ""] = match;
  const labels: Record<string, string> = {};
  const pair = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,(?=.)|$)/y;
  while (pair.lastIndex < labelText.length) {
    const found = pair.exec(labelText);
    if (found === null) throw new Error(`bad labels: ${line}`);
    const [, label = "", value = ""] = found;
    if (Object.hasOwn(labels, label)) throw new Error(`the label ${label} twice: ${line}`);
    labels[label] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
  }
  return { name, labels, value: parseValue(valueText) };
}

/** Parses numbers like Go's ParseFloat, which ignores the case of NaN and Inf. */
function parseValue(text: string): number {
  if (/^nan$/i.test(text)) return Number.NaN;
  if (/^[+-]?inf$/i.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  if (!/^[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(text)) throw new Error(`not a number: ${text}`);
  return Number(text);
}

/** Buckets ascend and are cumulative, the last is +Inf and equals the count, and there is a sum. */
function checkHistogram({ name, samples }: Family): void {
  const groups = new Map<string, { buckets: [number, number][]; sum?: number; count?: number }>();
  for (const sample of samples) {
    const { le, ...labels } = sample.labels;
    const key = JSON.stringify(Object.entries(labels).sort());
    const group = groups.get(key) ?? { buckets: [] };
    groups.set(key, group);
    if (sample.name === `${name}_bucket`) group.buckets.push([parseValue(le ?? ""), sample.value]);
    if (sample.name === `${name}_sum`) group.sum = sample.value;
    if (sample.name === `${name}_count`) group.count = sample.value;
  }
  for (const [key, { buckets, sum, count }] of groups) {
    const where = `${name} ${key}`;
    if (sum === undefined || count === undefined) throw new Error(`${where} has no sum or no count`);
    if (buckets.at(-1)?.[0] !== Infinity) throw new Error(`${where} does not end with +Inf`);
    if (buckets.at(-1)?.[1] !== count) throw new Error(`${where}: +Inf is not the count`);
    for (const [index, [bound, value]] of buckets.entries()) {
      const [lower, below] = buckets[index - 1] ?? [-Infinity, 0];
      if (!(bound > lower)) throw new Error(`${where}: bounds do not ascend`);
      if (value < below) throw new Error(`${where} is not cumulative`);
    }
  }
}
