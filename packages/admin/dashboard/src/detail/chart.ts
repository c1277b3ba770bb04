/** A line chart over the last minute, by uPlot. Colours are those of the style sheet, and follow the theme. */

import { formatRate, none } from "../model/format.ts";
import { html, useEffect, useLayoutEffect, useRef, type VNode } from "../vendor/preact.js";
import uPlot from "../vendor/uplot.js";

export interface ChartSeries {
  readonly label: string;
  readonly values: readonly (number | null)[];
  readonly tone: "main" | "warn" | "bad";
}

interface Props {
  readonly title: string;
  /** Seconds since 1970. */
  readonly times: readonly number[];
  readonly unit: string;
  readonly series: readonly ChartSeries[];
}

const height = 120;

export function Chart({ title, times, unit, series }: Props): VNode {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const data = useRef<uPlot.AlignedData>([[]]);
  data.current = [[...times], ...series.map(({ values }) => [...values])];

  useLayoutEffect(() => {
    const element = place.current;
    if (element === null) return undefined;
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsFor(element, series, unit), data.current, element);
    };
    draw();
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", draw);
    const themes = new MutationObserver(draw);
    themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    const sizes = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height }));
    sizes.observe(element);
    return () => {
      scheme.removeEventListener("change", draw);
      themes.disconnect();
      sizes.disconnect();
      plot.current?.destroy();
    };
  }, []);

  useEffect(() => plot.current?.setData(data.current), [times.at(-1), times.length]);

  return html`<figure class="chart">
    <figcaption><b>${title}</b>${series.map(
      ({ label, tone, values }) =>
        html`<span class="legend legend-${tone}">${label} <b>${latest(values, unit)}</b></span>`,
    )}</figcaption>
    <div class="plot" ref=${place} role="img" aria-label=${describe(title, series, unit)}></div>
  </figure>`;
}

function optionsFor(element: HTMLElement, series: readonly ChartSeries[], unit: string): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => resolveColour(element, name);
  const font = `11px ${style.fontFamily}`;
  const axis = { stroke: colour("--dim"), font, grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  const colours = { main: colour("--accent"), warn: colour("--warn"), bad: colour("--bad") };
  return {
    width: Math.max(element.clientWidth, 100),
    height,
    legend: { show: false },
    cursor: { points: { size: 6 }, drag: { setScale: false } },
    padding: [8, 24, 0, 0],
    scales: { x: { time: true }, y: { range: (_plot, _min, max) => [0, Math.max(max ?? 0, 1) * 1.1] } },
    axes: [
      { ...axis, space: 70, size: 22, values: (_plot, splits) => splits.map(clockTime) },
      { ...axis, size: 44, space: 30, values: (_plot, splits) => splits.map(shortNumber) },
    ],
    series: [
      {},
      ...series.map(({ label, tone }) => ({
        label,
        stroke: colours[tone],
        width: 1.5,
        points: { show: false },
        ...(tone === "main" && { fill: colour("--accent-soft") }),
        value: (_plot: uPlot, value: number | null) => (value === null ? "" : `${formatRate(value)}${unit}`),
      })),
    ],
  };
}

/** A canvas does not understand `light-dark()`, so the browser computes the colour. */
function resolveColour(element: HTMLElement, name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function clockTime(seconds: number): string {
  return new Date(seconds * 1_000).toLocaleTimeString("en-GB");
}

function shortNumber(value: number): string {
  return value >= 10_000 ? `${value / 1_000}k` : `${Number(value.toFixed(2))}`;
}

function latest(values: readonly (number | null)[], unit: string): string {
  const value = values.findLast((one) => one !== null);
  return value === undefined || value === null ? none : `${formatRate(value)}${unit}`;
}

/** The text for screen readers. */
function describe(title: string, series: readonly ChartSeries[], unit: string): string {
  const parts = series.map(({ label, values }) => {
    const known = values.filter((value) => value !== null);
    const most = known.length === 0 ? none : `${formatRate(Math.max(...known))}${unit}`;
    return `${label}: now ${latest(values, unit)}, at most ${most}`;
  });
  return `${title} over the last minute. ${parts.join(". ")}`;
}
