import type { HistogramSnapshot } from "evenkeel";

export type Labels = Readonly<Record<string, string | number>>;

export interface Sample {
  readonly metricName?: string;
  readonly labels: Labels;
  readonly value: number;
}

/** One metric. Its samples are read once, and may be made while they are read. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram" | "summary";
  readonly values: Iterable<Sample>;
}

export function counter(name: string, help: string, values: Iterable<Sample>): Family {
  return { name, help, type: "counter", values };
}

export function gauge(name: string, help: string, values: Iterable<Sample>): Family {
  return { name, help, type: "gauge", values };
}

export function histogram(name: string, help: string, series: Iterable<readonly [Labels, HistogramSnapshot]>): Family {
  return { name, help, type: "histogram", values: samplesOf(name, series) };
}

/** Quantiles alone: `values` have the label `quantile`, and there is neither a sum nor a count. */
export function quantiles(name: string, help: string, values: Iterable<Sample>): Family {
  return { name, help, type: "summary", values };
}

export function sample(labels: Labels, value: number): Sample {
  return { labels, value };
}

function* samplesOf(name: string, series: Iterable<readonly [Labels, HistogramSnapshot]>): Iterable<Sample> {
  for (const [labels, { bounds, counts, count, sum }] of series) {
    for (const [index, le] of bounds.entries()) {
      yield { metricName: `${name}_bucket`, labels: { ...labels, le }, value: counts[index] ?? count };
    }
    yield { metricName: `${name}_bucket`, labels: { ...labels, le: "+Inf" }, value: count };
    yield { metricName: `${name}_sum`, labels, value: sum };
    yield { metricName: `${name}_count`, labels, value: count };
  }
}
