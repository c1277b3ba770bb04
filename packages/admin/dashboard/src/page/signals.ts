/** The figures of all traffic together: rate, errors, latency, load. */

import type { Overview } from "@evenkeel/admin";
import type { Rates } from "../data/rate-history.ts";
import { countOf, formatCount, formatDuration, formatMs, formatRate, formatRatio } from "../model/format.ts";
import { errorTone, type Tone } from "../model/statuses.ts";
import { Sparkline } from "../table/sparkline.ts";
import { html, type VNode } from "../vendor/preact.js";

interface Props {
  readonly overview: Overview;
  readonly rates: Rates;
  readonly now: number;
}

export function Signals({ overview, rates, now }: Props): VNode {
  const { traffic, pools, connections, workers, certificateExpiry } = overview;
  const inFlight = pools.reduce((sum, pool) => sum + pool.inFlight, 0);
  const tunnels = pools.reduce((sum, pool) => sum + pool.tunnels, 0);
  const queued = pools.reduce((sum, pool) => sum + pool.queueDepth, 0);
  const load = queued > 0 ? `${countOf(queued, "request")} waiting` : tunnels > 0 ? countOf(tunnels, "tunnel") : "";
  return html`<section class="signals" aria-label="All traffic, last ten seconds">
    <dl>
      <div class="wide">
        <dt>Requests/s</dt>
        <dd>${formatRate(traffic.rate)}</dd>
        <${Sparkline} rates=${rates} width=${180} height=${30} isFilled />
      </div>
      ${figure("Errors", formatRatio(traffic.errorRatio), "", errorTone(traffic.errorRatio))}
      ${figure("p50", formatMs(traffic.p50))}
      ${figure("p99", formatMs(traffic.p99))}
      ${figure("In flight", formatCount(inFlight), load, queued > 0 ? "warn" : undefined)}
      ${connections !== null && figure("Connections", formatCount(connections.open), `of ${formatCount(connections.limit)}`)}
      ${workers !== null && figure("Workers", `${workers.running}`, `of ${workers.total}`, workers.running < workers.total ? "bad" : undefined)}
      ${certificateExpiry !== null && certificate(certificateExpiry - now)}
    </dl>
  </section>`;
}

function figure(name: string, value: string, note = "", tone?: Tone): VNode {
  return html`<div>
    <dt>${name}</dt>
    <dd class=${tone === undefined ? "" : `tone-${tone}`}>${value}${note !== "" && html`<small>${note}</small>`}</dd>
  </div>`;
}

const dayMs = 24 * 60 * 60 * 1_000;

function certificate(leftMs: number): VNode {
  if (leftMs <= 0) return figure("Certificate", "expired", "", "bad");
  return figure("Certificate", formatDuration(leftMs), "left", leftMs < 14 * dayMs ? "warn" : undefined);
}
