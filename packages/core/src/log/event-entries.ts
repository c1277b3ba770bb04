/** Formats the events of pools as log entries. */

import type { PoolEvents, ProxyEvents, ReadmissionReason, ReloadChanges } from "../events.ts";
import { messageOf } from "../runtime/error-text.ts";
import { durationText } from "./duration-text.ts";
import type { LogEntry } from "./logger.ts";

/** The events that are logged. `worker` is the number of the worker that an event comes from, in a group of processes. */
export type LoggedEvents = {
  readonly [Name in keyof PoolEvents | "reload"]: ProxyEvents[Name][0] & { readonly worker?: number };
};

type Formats = { readonly [Name in keyof LoggedEvents]: (event: LoggedEvents[Name]) => LogEntry };

const readmissions: Readonly<Record<ReadmissionReason, string>> = {
  trial: "a trial request succeeded",
  probe: "a probe succeeded",
  off: "outlier detection was switched off",
};

export const toEntry: Formats = {
  health(event) {
    const why = event.cause === undefined ? event.reason : `${event.reason}, ${event.cause}`;
    const level = event.to === "unhealthy" ? "warn" : "info";
    return { level, message: `${nameOf(event)} is ${event.to}: ${why}`, fields: { ...event } };
  },
  eject(event) {
    const message = `${nameOf(event)} is ejected for ${Math.round(event.forMs / 1_000)} s: ${event.reason}`;
    return { level: "warn", message, fields: { ...event } };
  },
  readmit(event) {
    return info(event, `${nameOf(event)} is readmitted: ${readmissions[event.reason]}`);
  },
  weight(event) {
    const { reason, detail } = event;
    const [from, to] = [event.from, event.to].map((weight) => Math.round(weight * 1_000) / 1_000);
    const why = detail === undefined ? reason : `${reason}, ${detail}`;
    const entry = info(event, `${nameOf(event)} has weight ${to}, was ${from}: ${why}`);
    // An upstream may announce another load every second.
    return reason === "announced" ? { ...entry, level: "debug" } : entry;
  },
  state(event) {
    return info(event, `${nameOf(event)} is ${event.to}, was ${event.from}`);
  },
  member(event) {
    return info(event, `${nameOf(event)} was ${event.change}`);
  },
  discovery(event) {
    const { pool, name, ok, error, members } = event;
    const upstreams = `${members} ${members === 1 ? "upstream" : "upstreams"}`;
    if (ok) return info(event, `${pool}: ${name} resolves to ${upstreams}`);
    const message = `${pool}: the lookup of ${name} fails: ${error}; ${upstreams} found before stay in use`;
    return { level: "warn", message, fields: { ...event } };
  },
  reload(event) {
    if (event.ok) {
      const { changes } = event;
      return { level: "info", message: `reloaded: ${describeChanges(changes)}`, fields: { changes } };
    }
    const message = `reload failed, the old configuration stays in force: ${messageOf(event.error)}`;
    return { level: "error", message, fields: { code: event.error.code } };
  },
};

/** Adds how long an upstream was unavailable to the entry of its return. */
export function afterOutage(entry: LogEntry, forMs: number, ejections: number): LogEntry {
  const times = ejections > 1 ? `, ejected ${ejections} times` : "";
  const message = `${entry.message}, after ${durationText(forMs)}${times}`;
  return { ...entry, message, fields: { ...entry.fields, afterMs: Math.round(forMs) } };
}

/** Describes the changes of a reload, as in `upstreams added: api/b`. */
export function describeChanges({ pools, upstreams }: ReloadChanges): string {
  const changes = Object.entries({
    "pools added": pools.added,
    "pools removed": pools.removed,
    "pools changed": pools.changed,
    "upstreams added": upstreams.added,
    "upstreams removed": upstreams.removed,
  }).filter(([, names]) => names.length > 0);
  if (changes.length === 0) return "pools and upstreams stay as they are";
  return changes.map(([what, names]) => `${what}: ${names.join(", ")}`).join("; ");
}

function info(event: object, message: string): LogEntry {
  return { level: "info", message, fields: { ...event } };
}

function nameOf({ pool, upstream, worker }: { pool: string; upstream: string; worker?: number }): string {
  return worker === undefined ? `${pool}/${upstream}` : `${pool}/${upstream} (worker ${worker})`;
}
