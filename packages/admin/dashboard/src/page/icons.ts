/** Icons, drawn with the colour of the text around them. Each status has a shape of its own, for those who see no colours. */

import type { UpstreamStatus } from "@evenkeel/admin";
import type { Tone } from "../model/statuses.ts";
import { html, type VNode } from "../vendor/preact.js";

const disc = "M8 1.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13Z";
const cross = "M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2";
const tick = "M4.9 8.3l2.2 2.2 4.1-4.6";
const ring = "M8 2.4a5.6 5.6 0 1 1 0 11.2A5.6 5.6 0 0 1 8 2.4Z";

interface Shape {
  /** Filled areas. */
  readonly fill?: string;
  /** Lines on top of a filled area, in the colour of the background. */
  readonly cut?: string;
  /** Lines in the colour of the text. */
  readonly line?: string;
}

const shapes: Readonly<Record<UpstreamStatus, Shape>> = {
  healthy: { line: `${ring}${tick}` },
  unchecked: { line: ring, fill: "M8 5.8a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4Z" },
  warming: { line: ring, fill: "M8 13.6a5.6 5.6 0 0 1-5.6-5.6h11.2A5.6 5.6 0 0 1 8 13.6Z" },
  full: { fill: "M2.5 3.5h11v9h-11Z", cut: "M4.6 6.2h6.8M4.6 8h6.8M4.6 9.8h6.8" },
  checking: {
    line: "M8 2.4a5.6 5.6 0 0 1 5.6 5.6M11.9 12A5.6 5.6 0 0 1 8 13.6M4.1 12A5.6 5.6 0 0 1 2.4 8M4 4.1a5.6 5.6 0 0 1 1.6-1.2",
  },
  failing: { fill: "M8 1.6 15 14.2H1Z", cut: "M8 6v3.8M8 11.6v.6" },
  trial: { line: ring, fill: "M8 2.4v11.2A5.6 5.6 0 0 1 8 2.4Z" },
  ejected: { fill: disc, cut: "M4.6 8h6.8" },
  unhealthy: { fill: "M5.3 1.5h5.4l3.8 3.8v5.4l-3.8 3.8H5.3L1.5 10.7V5.3Z", cut: cross },
  draining: { line: `${ring}M8 5v5.4M5.6 8.2 8 10.6l2.4-2.4` },
  disabled: { line: `${ring}M6.4 5.8v4.4M9.6 5.8v4.4` },
};

const toneShapes: Readonly<Record<Tone, Shape>> = {
  ok: { fill: disc, cut: tick },
  warn: shapes.failing,
  bad: shapes.unhealthy,
  idle: { line: ring },
};

export function statusIcon(status: UpstreamStatus): VNode {
  return draw(shapes[status] ?? toneShapes.idle);
}

export function toneIcon(tone: Tone): VNode {
  return draw(toneShapes[tone]);
}

const symbols = {
  close: "M4 4l8 8M12 4l-8 8",
  more: "M3 8h.01M8 8h.01M13 8h.01",
  sun: "M8 5a3 3 0 1 1 0 6 3 3 0 0 1 0-6ZM8 1v1.4M8 13.6V15M1 8h1.4M13.6 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  moon: "M13.2 9.7A5.6 5.6 0 0 1 6.3 2.8a5.6 5.6 0 1 0 6.9 6.9Z",
  auto: `${ring}M8 2.4v11.2M10 3.4v9.2M12 5v6`,
  search: "M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9ZM10.4 10.4 14 14",
  plus: "M8 3v10M3 8h10",
  copy: "M5.5 5.5h8v8h-8ZM10.5 5.5v-3h-8v8h3",
} as const;

export function symbol(name: keyof typeof symbols): VNode {
  return draw({ line: symbols[name] });
}

/** Two parts of water under a level keel: the sign of the product. */
export function logo(): VNode {
  return html`<svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
    <path d="M5 12h22c0 6-4.6 10.5-11 10.5S5 18 5 12Z" fill="currentColor" />
    <path d="M16 3.5v8.5M3.5 27.5c2.1 0 2.1-1.6 4.2-1.6s2.1 1.6 4.1 1.6 2.1-1.6 4.2-1.6 2.1 1.6 4.1 1.6 2.1-1.6 4.2-1.6 2.1 1.6 4.3 1.6"
      fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round" />
  </svg>`;
}

function draw({ fill, cut, line }: Shape): VNode {
  return html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
    ${fill !== undefined && html`<path d=${fill} fill="currentColor" />`}
    ${cut !== undefined && html`<path class="cut" d=${cut} />`}
    ${line !== undefined && html`<path class="line" d=${line} />`}
  </svg>`;
}
