import type { HistogramSnapshot } from "evenkeel";

export type Labels = Readonly<Record<string, string | number>>;

export interface Sample {
  readonly metricName?: string;
  readonly labels: Labels;
  readonly value: number;
}

/** One metric in the form that prom-client renders. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram" | "summary";
  readonly values: readonly Sample[];
}

export function counter(name: string, help: string, values: readonly Sample[]): Family {
  return { name, help, type: "counter", values };
}

export function gauge(name: string, help: string, values: readonly Sample[]): Family {
  return { name, help, type: "gauge", values };
}

export function histogram(
  name: string,
  help: string,
  series: readonly (readonly [Labels, HistogramSnapshot])[],
): Family {
  const values = series.flatMap(([labels, { bounds, counts, count, sum }]) => [
    ...bounds.map((le, index) => ({
      metricName: `${name}_bucket`,
      labels: { ...labels, le },
      value: counts[index] ?? count,
    })),
    { metricName: `${name}_bucket`, labels: { ...labels, le: "+Inf" }, value: count },
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ]);
  return { name, help, type: "histogram", values };
}

/** Quantiles alone: `values` have the label `quantile`, and there is neither a sum nor a count. */
export function quantiles(name: string, help: string, values: readonly Sample[]): Family {
  return { name, help, type: "summary", values };
}

export function sample(labels: Labels, value: number): Sample {
  return { labels, value };
}
