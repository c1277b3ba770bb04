/** What serves this page, how fresh its data is, and the settings of the page. */

import type { LiveData } from "../data/live-data.ts";
import { formatDuration } from "../model/format.ts";
import { html, useState, type VNode } from "../vendor/preact.js";
import { logo, symbol } from "./icons.ts";
import { currentTheme, nextTheme } from "./theme.ts";

export function TopBar({ data }: { readonly data: LiveData }): VNode {
  const { overview } = data;
  return html`<header class="top">
    <span class="brand">${logo()}Evenkeel</span>
    <span class="host mono">${location.host}</span>
    ${overview !== undefined && html`<span class="dim top-extra">v${overview.version}, up ${formatDuration(data.now - overview.startedAt)}</span>`}
    <span class="grow"></span>
    ${freshness(data)}
    ${overview?.role === "viewer" && html`<span class="tag" title="This session can read everything and change nothing">Read-only</span>`}
    <${ThemeButton} />
    ${data.session?.signIn && overview !== undefined && html`<button class="quiet" onClick=${() => void data.signOut()}>Sign out</button>`}
  </header>`;
}

function freshness(data: LiveData): VNode | null {
  if (data.phase === "sign-in") return null;
  const isLive = data.phase === "live" && !data.isStale;
  const age = data.overview === undefined ? "" : `, data is ${formatDuration(data.dataAge)} old`;
  return html`<span class="freshness ${isLive ? "is-live" : "is-stale"}" role="status">
    ${isLive ? "Live" : data.phase === "connecting" ? "Connecting" : `Reconnecting${age}`}
  </span>`;
}

function ThemeButton(): VNode {
  const [theme, setTheme] = useState(currentTheme);
  const labels = { auto: "Theme of the system", light: "Light theme", dark: "Dark theme" };
  const change = () => {
    nextTheme();
    setTheme(currentTheme());
  };
  const icons = { auto: "auto", light: "sun", dark: "moon" } as const;
  return html`<button class="quiet square" onClick=${change} aria-label=${`${labels[theme]}, change`} title=${labels[theme]}>
    ${symbol(icons[theme])}
  </button>`;
}
