/** The request rate of the last minute as a line, from 0 to its own maximum. Gaps are times without data. */

import { points, type Rates } from "../data/rate-history.ts";
import { html, type VNode } from "../vendor/preact.js";

interface Props {
  readonly rates: Rates;
  readonly width: number;
  readonly height: number;
  /** Fills the area below the line. */
  readonly isFilled?: boolean;
}

export function Sparkline({ rates, width, height, isFilled = false }: Props): VNode {
  const line = linePath(rates, width, height);
  const isWhole = rates.length > 1 && !rates.includes(null);
  return html`<svg class="spark" viewBox=${`0 0 ${width} ${height}`} width=${width} height=${height} aria-hidden="true" preserveAspectRatio="none">
    ${isFilled && isWhole && html`<path class="spark-area" d=${`${line}V${height}H${xOf(0, rates, width)}Z`} />`}
    <path class="spark-line" d=${line} />
  </svg>`;
}

function linePath(rates: Rates, width: number, height: number): string {
  let maximum = 1;
  for (const rate of rates) if (rate !== null && rate > maximum) maximum = rate;
  let path = "";
  let command = "M";
  rates.forEach((rate, index) => {
    if (rate !== null)
      path += `${command}${xOf(index, rates, width)} ${tenths(height - 1.5 - (rate / maximum) * (height - 3))}`;
    command = rate === null ? "M" : "L";
  });
  return path;
}

/** The last point is at the right edge; a history that is shorter than a minute begins within. */
function xOf(index: number, rates: Rates, width: number): number {
  return tenths(((points - rates.length + index) * width) / (points - 1));
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}
