/** The first thing to read: all is healthy, or what is not, why and since when. */

import type { Overview, Problem } from "@evenkeel/admin";
import { countOf, formatDuration, formatTime } from "../model/format.ts";
import { overallTone, summarize } from "../model/overall-state.ts";
import { inPlainWords } from "../model/plain-words.ts";
import { html, type VNode } from "../vendor/preact.js";
import { toneIcon } from "./icons.ts";
import { selectionLink } from "./selection.ts";

const maxListed = 5;

interface Props {
  readonly overview: Overview;
  readonly now: number;
}

export function StatusLine({ overview, now }: Props): VNode {
  const tone = overallTone(overview);
  return html`<section class="status tone-${tone}" aria-label="Status">
    <span class="status-icon">${toneIcon(tone)}</span>
    <div class="status-text">
      ${overview.problems.length === 0 ? allWell(overview, now) : troubles(overview, now)}
    </div>
    <p class="visually-hidden" aria-live="polite">${summarize(overview)}</p>
  </section>`;
}

function allWell({ pools, draining, startedAt }: Overview, now: number): VNode {
  const upstreams = pools.flatMap((pool) => pool.upstreams);
  const taken = upstreams.filter(({ status }) => status === "draining" || status === "disabled").length;
  const changes = upstreams.flatMap(({ since, status }) => (since === null || status === "full" ? [] : [since]));
  const since = Math.max(startedAt, ...changes);
  const members = `${countOf(upstreams.length, "upstream")} in ${countOf(pools.length, "pool")}`;
  return html`<h1>${draining ? "Draining: no new connections are accepted" : "All healthy"}</h1>
    <p>
      ${members}${taken > 0 && `, ${taken} taken out by an operator`}.${" "}
      No change for ${formatDuration(now - since)}, since ${formatTime(since, now)}.
    </p>`;
}

function troubles({ problems }: Overview, now: number): VNode {
  const critical = problems.filter(({ severity }) => severity === "critical").length;
  const listed = problems.slice(0, maxListed);
  const [only] = problems;
  const headline =
    only !== undefined && problems.length === 1
      ? inPlainWords(only.text)
      : `${describeCount(critical, problems.length - critical)}${placesOf(problems)}`;
  return html`<h1>${headline}</h1>
    ${
      problems.length === 1 && only !== undefined
        ? html`<p>${times(only, now)}${" "}${only.pool !== null && html`<a href=${linkOf(only)}>Show why</a>`}</p>`
        : html`<ul class="problems">
            ${listed.map((problem) => problemLine(problem, now))}
            ${problems.length > maxListed && html`<li class="dim">and ${problems.length - maxListed} more, below</li>`}
          </ul>`
    }`;
}

function describeCount(critical: number, warnings: number): string {
  const parts = [critical > 0 && countOf(critical, "critical problem"), warnings > 0 && countOf(warnings, "warning")];
  return parts.filter((part) => part !== false).join(" and ");
}

/** The pools that are concerned, such as ` in api and checkout`. */
function placesOf(problems: readonly Problem[]): string {
  const pools = [...new Set(problems.map(({ pool }) => pool).filter((pool) => pool !== null))];
  if (pools.length === 0) return "";
  if (pools.length > 3) return ` in ${pools.length} pools`;
  return ` in ${pools.join(", ").replace(/, ([^,]*)$/, " and $1")}`;
}

function problemLine(problem: Problem, now: number): VNode {
  const tone = problem.severity === "critical" ? "bad" : "warn";
  const text =
    problem.pool === null
      ? inPlainWords(problem.text)
      : html`<a href=${linkOf(problem)}>${inPlainWords(problem.text)}</a>`;
  return html`<li class="tone-${tone}" key=${`${problem.pool}/${problem.upstream}/${problem.status}`}>
    ${toneIcon(tone)}<span><span class="problem-text">${text}</span>${" "}<span class="dim">${times(problem, now)}</span></span>
  </li>`;
}

function times({ since, until }: Problem, now: number): string {
  const parts = [
    since !== null && `for ${formatDuration(now - since)}, since ${formatTime(since, now)}`,
    until !== null && until > now && `until ${formatTime(until, now)}, in ${formatDuration(until - now)}`,
  ];
  return parts.filter((part) => part !== false).join(", ");
}

function linkOf({ pool, upstream }: Problem): string {
  return selectionLink(pool ?? "", upstream ?? undefined);
}
