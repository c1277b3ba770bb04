/** The last minute of a pool or an upstream: rate with errors, and latency. Each sample is drawn as it was measured. */

import type { SeriesHistory } from "@evenkeel/admin";
import { request } from "../data/api.ts";
import { html, useEffect, useState, type VNode } from "../vendor/preact.js";
import { Chart, type ChartSeries } from "./chart.ts";

interface Props {
  readonly pool: string;
  readonly upstream: string | undefined;
}

export function SeriesCharts({ pool, upstream }: Props): VNode {
  const history = useHistory(pool, upstream);
  const times = (history?.times ?? []).map((time) => time / 1_000);
  const rate = history?.rate ?? [];
  const failed = rate.map((value, index) => (value === null ? null : value * (history?.errorRatio[index] ?? 0)));
  const rates: readonly ChartSeries[] = [
    { label: "all", values: rate, tone: "main" },
    { label: "failed", values: failed, tone: "bad" },
  ];
  const latencies: readonly ChartSeries[] = [
    { label: "p50", values: history?.p50 ?? [], tone: "main" },
    { label: "p99", values: history?.p99 ?? [], tone: "warn" },
  ];
  return html`<div class="charts">
    <${Chart} title=${upstream === undefined ? "Requests/s" : "Attempts/s"} times=${times} unit="/s" series=${rates} />
    <${Chart} title="Latency" times=${times} unit=" ms" series=${latencies} />
  </div>`;
}

function useHistory(pool: string, upstream: string | undefined): SeriesHistory | undefined {
  const [history, setHistory] = useState<SeriesHistory | undefined>(undefined);
  useEffect(() => {
    let isOpen = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const query = new URLSearchParams(upstream === undefined ? { pool } : { pool, upstream });
    const load = async (): Promise<void> => {
      let pauseMs = 3_000;
      try {
        const next = await request<SeriesHistory>("GET", `api/history?${query}`);
        pauseMs = Math.max(next.sampleMs, 1_000);
        if (isOpen) setHistory(next);
      } catch {
        // The page says that the server cannot be reached; the chart keeps what it has.
      }
      if (isOpen) timer = setTimeout(() => void load(), pauseMs);
    };
    void load();
    return () => {
      isOpen = false;
      clearTimeout(timer);
    };
  }, [pool, upstream]);
  return history;
}
