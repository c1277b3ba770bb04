/**
 * The message between participants. It is plain data, which JSON and the structured clone algorithm both carry.
 *
 * A received update is untrusted. What is read of it is built anew from its own properties, field by field: an entry that is
 * malformed or unknown is left out, and nothing else of it is kept.
 */

import { limits } from "../config/defaults.ts";
import { parseDuration } from "../config/duration.ts";
import type { UpstreamOptions } from "../config/options.ts";
import { resolveUpstream } from "../config/resolve.ts";
import type { Evidence, IntentChange, IntentEntry, Observation, Stamp } from "./coordination.ts";

/** Updates of another version are refused. New fields and new kinds of entries need no new version. */
export const updateVersion = 1;

export interface StateUpdate {
  readonly version: number;
  readonly intent?: readonly IntentEntry[];
  readonly evidence?: readonly Evidence[];
}

interface ReadUpdate {
  readonly intent: readonly IntentEntry[];
  readonly evidence: readonly Evidence[];
  /** Nothing was left out. */
  readonly complete: boolean;
}

/** The most entries of one update, intent and evidence each. */
const maxEntries = 100_000;
/** The most characters of the id of a participant, a pool or an upstream, of a URL, and of a reason. */
const maxText = 2_048;
const maxReason = 1_024;
/** The largest time that a `Date` has. */
const maxTime = 8.64e15;

/** Undefined for anything but an update of this version. */
export function readUpdate(update: unknown): ReadUpdate | undefined {
  if (own(update, "version") !== updateVersion) return undefined;
  const intent = own(update, "intent") ?? [];
  const evidence = own(update, "evidence") ?? [];
  if (!isList(intent) || !isList(evidence)) return undefined;
  const entries = readAll(intent, readIntent);
  const observed = readAll(evidence, readEvidence);
  const complete = entries.length === intent.length && observed.length === evidence.length;
  return { intent: entries, evidence: observed, complete };
}

function readAll<T>(list: readonly unknown[], read: (entry: unknown) => T): Exclude<T, undefined>[] {
  return list.map(read).filter((entry): entry is Exclude<T, undefined> => entry !== undefined);
}

function readIntent(entry: unknown): IntentEntry | undefined {
  const change = readChange(entry);
  const stamp = readStamp(own(entry, "stamp"));
  return change && stamp && { ...change, stamp };
}

function readChange(entry: unknown): IntentChange | undefined {
  const [pool, upstream] = [own(entry, "pool"), own(entry, "upstream")];
  if (!isName(pool) || !isName(upstream)) return undefined;
  const field = own(entry, "field");
  const value = own(entry, "value");
  const url = own(value, "url");
  if (field === "weight") {
    const [weight, configured] = [own(value, "weight"), own(value, "configured")];
    if (!isName(url) || !isWeight(weight) || !isWeight(configured)) return undefined;
    return { pool, upstream, field, value: { url, weight, configured } };
  }
  if (field === "state") {
    const [state, timeout] = [own(value, "state"), own(value, "timeout")];
    if (!isName(url) || !isOneOf(state, ["active", "draining", "disabled"])) return undefined;
    if (timeout === undefined) return { pool, upstream, field, value: { url, state } };
    if (!isName(timeout) || parseDuration(timeout) === undefined || state === "active") return undefined;
    return { pool, upstream, field, value: { url, state, timeout } };
  }
  if (field === "member") {
    const generation = own(value, "generation");
    const options = readOptions(upstream, own(value, "options"));
    if (typeof generation !== "string" || generation.length > maxText || options === undefined) return undefined;
    return { pool, upstream, field, value: { options, generation } };
  }
  return undefined;
}

/** Null stays null. Undefined for options that are not valid, or not those of this upstream. */
function readOptions(id: string, value: unknown): UpstreamOptions | null | undefined {
  if (value === null) return null;
  const [url, weight, backup, maxInFlight] = ["url", "weight", "backup", "maxInFlight"].map((key) => own(value, key));
  if (!isName(url)) return undefined;
  const given = Object.entries({ weight, backup, maxInFlight }).filter(([, option]) => option !== undefined);
  const options = { id, url, ...Object.fromEntries(given) } as UpstreamOptions;
  try {
    resolveUpstream(options);
    return options;
  } catch {
    return undefined;
  }
}

function readStamp(stamp: unknown): Stamp | undefined {
  const [time, count, by] = [own(stamp, "time"), own(stamp, "count"), own(stamp, "by")];
  if (!isTime(time) || !isCount(count) || !isName(by)) return undefined;
  return { time, count, by };
}

function readEvidence(entry: unknown): Evidence | undefined {
  const observation = readObservation(entry);
  const [by, sequence] = [own(entry, "by"), own(entry, "sequence")];
  return observation && isName(by) && isCount(sequence) ? { ...observation, by, sequence } : undefined;
}

function readObservation(entry: unknown): Observation | undefined {
  const [pool, upstream] = [own(entry, "pool"), own(entry, "upstream")];
  if (!isName(pool) || !isName(upstream)) return undefined;
  const kind = own(entry, "kind");
  const [at, until] = [own(entry, "at"), own(entry, "until")];
  if (kind === "ejection") return isTime(until) ? { pool, upstream, kind, until } : undefined;
  if (!isTime(at)) return undefined;
  if (kind === "probe" || kind === "failure") return { pool, upstream, kind, at };
  if (kind !== "verdict") return undefined;
  const [url, health, transport] = [own(entry, "url"), own(entry, "health"), own(entry, "transport")];
  if (!isName(url) || !isOneOf(health, ["unknown", "healthy", "unhealthy"]) || typeof transport !== "boolean") {
    return undefined;
  }
  const [reason, cause] = [readReason(own(entry, "reason")), readReason(own(entry, "cause"))];
  if (reason === undefined) return undefined;
  return { pool, upstream, kind, url, health, transport, at, reason, ...(cause !== undefined && { cause }) };
}

/** Logs have it, so it is one line of bounded length. */
function readReason(text: unknown): string | undefined {
  return typeof text === "string" ? text.slice(0, maxReason).replaceAll(/\p{Cc}/gu, " ") : undefined;
}

/** Undefined for what the object only inherits, and for what is no object. */
function own(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length <= maxEntries;
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= maxText && !/\p{Cc}/u.test(value);
}

function isOneOf<const T extends string>(value: unknown, words: readonly T[]): value is T {
  return words.some((word) => word === value);
}

function isWeight(value: unknown): value is number {
  return isCount(value) && value <= limits.maxWeight;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= maxTime;
}
