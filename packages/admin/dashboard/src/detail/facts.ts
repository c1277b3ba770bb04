/** The facts about a pool or an upstream, as a list. */

import type { PoolOverview, UpstreamOverview } from "@evenkeel/admin";
import { shareOf } from "../model/effects.ts";
import {
  formatCount,
  formatDuration,
  formatMs,
  formatRate,
  formatRatio,
  formatTime,
  formatWeight,
  none,
} from "../model/format.ts";
import { inPlainWords } from "../model/plain-words.ts";
import { statusInfo } from "../model/statuses.ts";
import { statusIcon } from "../page/icons.ts";
import { selectionLink } from "../page/selection.ts";
import { html, type VNode } from "../vendor/preact.js";

type Fact = readonly [name: string, value: VNode | string];

export function upstreamFacts(pool: PoolOverview, upstream: UpstreamOverview, now: number): VNode {
  const { url, since, until, reason, cause, lastProbe, lastFailure, ejections, traffic } = upstream;
  const facts: readonly (Fact | false)[] = [
    ["URL", html`<span class="mono">${url}</span>`],
    ["Status since", since === null ? none : `${formatTime(since, now)}, for ${formatDuration(now - since)}`],
    reason !== null && ["Reason", `${inPlainWords(reason)}${cause === undefined ? "" : `: ${cause}`}`],
    until !== null && ["Ejected until", `${formatTime(until, now)}, in ${formatDuration(until - now)}`],
    ["Weight", weights(pool, upstream)],
    ["In flight", load(upstream)],
    ["Errors", traffic.errorRatio === null ? "no attempts" : `${formatRatio(traffic.errorRatio)} of attempts`],
    [
      "Last probe",
      lastProbe === null
        ? "none"
        : `${inPlainWords(lastProbe.reason)}, ${formatMs(lastProbe.durationMs)}, ${ago(lastProbe.at, now)}`,
    ],
    [
      "Last failure",
      lastFailure === null ? noFailure(upstream) : `${inPlainWords(lastFailure.code)}, ${ago(lastFailure.at, now)}`,
    ],
    ["Ejections", formatCount(ejections)],
  ];
  return factList(facts.filter((fact) => fact !== false));
}

export function poolFacts(pool: PoolOverview, now: number): VNode {
  const { policy, available, total, since, serving, panicSince, queueDepth, queueMax, outage, tunnels, inFlight } =
    pool;
  const facts: readonly (Fact | false)[] = [
    ["Policy", policy],
    ["Available", `${available} of ${total}`],
    since !== null && [
      serving ? "Serving since" : "Not serving since",
      `${formatTime(since, now)}, for ${formatDuration(now - since)}`,
    ],
    panicSince !== null && ["Panic since", `${formatTime(panicSince, now)}, for ${formatDuration(now - panicSince)}`],
    outage !== null && ["Outage since", `${formatTime(outage.since, now)}, ${formatCount(outage.waiting)} waiting`],
    ["In flight", `${formatCount(inFlight)}${andTunnels(tunnels)}`],
    ["Queue", queueMax === null ? formatCount(queueDepth) : `${formatCount(queueDepth)} of ${formatCount(queueMax)}`],
    ["Retries/s", formatRate(pool.retriesPerSecond)],
    ["Beyond the retry budget/s", formatRate(pool.budgetExhaustedPerSecond)],
    ["Upstreams", members(pool)],
  ];
  return factList(facts.filter((fact) => fact !== false));
}

const maxMembers = 24;

function members({ name, upstreams }: PoolOverview): VNode {
  return html`<span class="members">
    ${upstreams.slice(0, maxMembers).map(({ id, status }) => {
      const { tone, label } = statusInfo(status);
      return html`<a class="member tone-${tone}" href=${selectionLink(name, id)} title=${label}>${statusIcon(status)}${id}</a>`;
    })}
    ${upstreams.length > maxMembers && html`<span class="dim">and ${formatCount(upstreams.length - maxMembers)} more</span>`}
  </span>`;
}

function weights(pool: PoolOverview, upstream: UpstreamOverview): string {
  const { weight, effectiveWeight } = upstream;
  const share = shareOf(pool, upstream);
  const sharing = share === undefined ? "" : `, ${formatRatio(share)} of its pool`;
  return Math.abs(weight - effectiveWeight) < 0.005
    ? `${formatWeight(weight)}${sharing}`
    : `${formatWeight(weight)} configured, ${formatWeight(effectiveWeight)} effective${sharing}`;
}

/** An upstream whose errors are all responses has no failure. */
function noFailure({ traffic }: UpstreamOverview): string {
  return (traffic.errorRatio ?? 0) > 0 ? "none: it responds, with a status of 500 or above" : "none";
}

function load({ inFlight, tunnels, maxInFlight }: UpstreamOverview): string {
  const limit = maxInFlight === null ? "no limit" : `limit ${formatCount(maxInFlight)}`;
  return `${formatCount(inFlight)}${andTunnels(tunnels)}, ${limit}`;
}

function andTunnels(tunnels: number): string {
  return tunnels > 0 ? `, and ${formatCount(tunnels)} tunnels` : "";
}

function ago(time: number, now: number): string {
  return `${formatDuration(now - time)} ago`;
}

function factList(facts: readonly Fact[]): VNode {
  return html`<dl class="facts">${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}
