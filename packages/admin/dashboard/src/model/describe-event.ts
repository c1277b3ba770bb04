/** One sentence for each event of the server. */

import { formatDuration, formatWeight } from "./format.ts";
import { inPlainWords } from "./plain-words.ts";
import type { Tone } from "./statuses.ts";

/** The names of the events that the page shows. Others are ignored. */
export const eventNames = ["health", "eject", "readmit", "weight", "state", "member", "discovery", "reload"] as const;

export type EventName = (typeof eventNames)[number];

/** The JSON of an event. Its fields are those of the events of `evenkeel`, and are read with care: versions may differ. */
export type EventData = Readonly<Record<string, unknown>>;

export interface EventDescription {
  readonly tone: Tone;
  readonly pool: string | undefined;
  readonly upstream: string | undefined;
  readonly text: string;
}

export function describeEvent(name: EventName, data: EventData): EventDescription {
  const pool = textOf(data["pool"]);
  const upstream = textOf(data["upstream"]);
  const worker = typeof data["worker"] === "number" ? ` (worker ${data["worker"]})` : "";
  const { tone, text } = describe[name](data);
  return { tone, pool, upstream, text: `${text}${worker}` };
}

type Describe = (data: EventData) => { readonly tone: Tone; readonly text: string };

const describe: Readonly<Record<EventName, Describe>> = {
  health: ({ from, to, reason, cause }) => ({
    tone: to === "unhealthy" ? "bad" : "ok",
    text: `${from === "unknown" ? "is" : "became"} ${to}: ${inPlainWords(String(reason))}${cause === undefined ? "" : `, ${cause}`}`,
  }),
  eject: ({ reason, forMs }) => ({
    tone: "bad",
    text: `was ejected for ${formatDuration(numberOf(forMs))}: ${inPlainWords(String(reason))}`,
  }),
  readmit: ({ reason }) => ({ tone: "ok", text: `was readmitted: ${readmissions[String(reason)] ?? words(reason)}` }),
  weight: ({ from, to, reason, detail }) => ({
    tone: reason === "feedback" && numberOf(to) < numberOf(from) ? "warn" : "idle",
    text: `has the effective weight ${formatWeight(numberOf(to))}, before ${formatWeight(numberOf(from))}: ${words(reason)}${
      detail === undefined ? "" : `, ${detail}`
    }`,
  }),
  state: ({ from, to }) => ({ tone: to === "active" ? "ok" : "idle", text: `is ${to}, before ${from}` }),
  member: ({ change }) => ({
    tone: "idle",
    text: change === "added" ? "was added" : change === "removed" ? "was removed, and drains" : "has finished draining",
  }),
  discovery: ({ name, ok, error, members }) => ({
    tone: ok === true ? "ok" : "bad",
    text: ok === true ? `found ${members} members at ${name}` : `cannot look up ${name}: ${error}`,
  }),
  reload: ({ ok, error }) => ({
    tone: ok === true ? "ok" : "bad",
    text: ok === true ? "The configuration was reloaded" : `A reload was rejected: ${messageOf(error)}`,
  }),
};

const readmissions: Readonly<Record<string, string>> = {
  trial: "a trial request succeeded",
  probe: "a probe succeeded",
  off: "outlier detection was switched off",
};

function words(value: unknown): string {
  return String(value).replaceAll("-", " ");
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

function messageOf(error: unknown): string {
  if (typeof error === "string") return error;
  const { message } = (error ?? {}) as { message?: unknown };
  return typeof message === "string" ? message : "the configuration is invalid";
}
