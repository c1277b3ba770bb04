/** The state in the title and the icon of the browser's tab, for an operator who looks at another one. */

import type { LiveData } from "../data/live-data.ts";
import { overallTone, summarize } from "../model/overall-state.ts";

const icons = { ok: "favicon", warn: "favicon-warning", bad: "favicon-trouble", idle: "favicon-unknown" } as const;

export function updateTab(data: LiveData): void {
  const { overview, phase } = data;
  const isUnknown = overview === undefined || data.isStale;
  const tone = isUnknown ? "idle" : overallTone(overview);
  const summary = overview === undefined ? "" : `${summarize(overview)} · `;
  const title =
    phase === "sign-in" ? "Sign in · Evenkeel" : isUnknown ? "Not connected · Evenkeel" : `${summary}Evenkeel`;
  if (document.title !== title) document.title = title;
  document.documentElement.dataset["state"] = data.isStale ? "stale" : phase;
  const link = document.getElementById("favicon");
  const href = `dashboard/${icons[tone]}.svg`;
  if (link instanceof HTMLLinkElement && link.getAttribute("href") !== href) link.href = href;
}
