/** The request rate of the last minute as a line, from 0 to its own maximum. Gaps are times without data. */

import { points, type Rates } from "../data/rate-history.ts";
import { html, type VNode } from "../vendor/preact.js";

interface Props {
  readonly rates: Rates;
  readonly width: number;
  readonly height: number;
}

export function Sparkline({ rates, width, height }: Props): VNode {
  const line = linePath(rates, width, height);
  const last = rates.at(-1);
  return html`<svg class="spark" viewBox=${`0 0 ${width} ${height}`} width=${width} height=${height} aria-hidden="true" preserveAspectRatio="none">
    ${last !== undefined && last !== null && line !== "" && html`<path class="spark-area" d=${areaPath(line, rates, width, height)} />`}
    <path class="spark-line" d=${line} />
  </svg>`;
}

function linePath(rates: Rates, width: number, height: number): string {
  const maximum = Math.max(1, ...rates.map((rate) => rate ?? 0));
  const step = width / (points - 1);
  const first = points - rates.length;
  let path = "";
  let isDrawing = false;
  rates.forEach((rate, index) => {
    if (rate !== null) {
      const x = ((first + index) * step).toFixed(1);
      const y = (height - 1.5 - (rate / maximum) * (height - 3)).toFixed(1);
      path += `${isDrawing ? "L" : "M"}${x} ${y}`;
    }
    isDrawing = rate !== null;
  });
  return path;
}

/** The area below the line; with gaps only the part after the last gap is closed correctly, so there it is left out. */
function areaPath(line: string, rates: Rates, width: number, height: number): string {
  if (line.lastIndexOf("M") > 0) return "";
  const left = (((points - rates.length) * width) / (points - 1)).toFixed(1);
  return `${line}L${width} ${height}L${left} ${height}Z`;
}
