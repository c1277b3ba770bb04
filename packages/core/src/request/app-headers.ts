/** Checks the headers that an app has set in a message, and puts them in place of the proxy's own of the same name. */

import type { ChangedHeaders } from "../client/changed-headers.ts";
import { show } from "../config/issues.ts";
import { type HeaderRule, headerRule, hostText, refusedReason } from "../config/settable-header.ts";
import { fieldText, token } from "../http1/grammar.ts";
import type { RequestHeadIn } from "./request-head.ts";

/** Several lines of these mean the same as one line with their values joined (RFC 9110 section 5.3). */
const lists: ReadonlySet<string> = new Set(["via", "forwarded", "x-forwarded-for"]);

/**
 * Replaces the headers of a request by those that an app has left, names and values by turns. `before` are those that the app
 * received: unchanged ones are not checked. Throws a `TypeError` that names a header that cannot be sent.
 */
export function withAppHeaders(
  head: RequestHeadIn,
  headers: readonly string[],
  before: readonly string[],
): RequestHeadIn {
  const passed: string[] = [];
  const replacing = new Map<string, [name: string, value: string]>();
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string;
    const value = headers[index + 1] as string;
    const rule = isUnchanged(headers, index, before) ? "free" : checkHeader(name, value);
    if (rule === "replaces") addReplacing(replacing, name, value);
    else passed.push(name, value);
  }
  if (replacing.size === 0) return { ...head, passed };
  const kept = (head.replacing?.set ?? []).filter(([name]) => !replacing.has(name.toLowerCase()));
  const set = [...kept, ...replacing.values()];
  return {
    ...head,
    host: replacing.get("host")?.[1] ?? head.host,
    passed,
    replacing: { set, drop: new Set(set.map(([name]) => name.toLowerCase())) },
  };
}

/**
 * Appends what an app has set in `req.headers` to a head that was read without those lines: the names in the client's Connection
 * header remove only the client's own lines. Throws as `withAppHeaders` does.
 */
export function withChangedHeaders(head: RequestHeadIn, { lines }: ChangedHeaders): RequestHeadIn {
  const changed = withAppHeaders(head, [...head.passed, ...[...lines.values()].flat(2)], head.passed);
  return lines.get("host")?.length === 0 ? { ...changed, hostDeleted: true } : changed;
}

/** Throws a `TypeError` for a header of a response that an app must not set. */
export function checkChangedHeaders(headers: readonly string[], before: readonly string[]): void {
  for (let index = 0; index < headers.length; index += 2) {
    if (!isUnchanged(headers, index, before)) checkHeader(headers[index], headers[index + 1]);
  }
}

/** Throws a `TypeError` for a header that could split the message. The value is not quoted: it may be a credential. */
export function checkField(name: unknown, value: unknown): void {
  if (typeof name !== "string" || !token.test(name)) {
    throw new TypeError(`the header name ${show(name)} has characters that no header name has`);
  }
  if (typeof value === "string" && fieldText.test(value)) return;
  throw new TypeError(`the header ${JSON.stringify(name)} has a value that is not one line of Latin-1 text`);
}

/** Throws a `TypeError` for a header that could split the message or that an app must not set. */
function checkHeader(name: unknown, value: unknown): HeaderRule {
  checkField(name, value);
  const rule = headerRule(name as string);
  if (rule === "refused") throw new TypeError(`the header ${JSON.stringify(name)} cannot be set: ${refusedReason}`);
  return rule;
}

function isUnchanged(headers: readonly string[], index: number, before: readonly string[]): boolean {
  const name = headers[index];
  const value = headers[index + 1];
  if (before[index] === name && before[index + 1] === value) return true;
  return before.some((text, place) => place % 2 === 0 && text === name && before[place + 1] === value);
}

function addReplacing(replacing: Map<string, [string, string]>, name: string, value: string): void {
  const lower = name.toLowerCase();
  const first = replacing.get(lower);
  if (lower === "host" && !hostText.test(value))
    throw new TypeError('the header "Host" was set to a value that is no host');
  if (first === undefined) replacing.set(lower, [name, value]);
  else if (lists.has(lower)) first[1] += `, ${value}`;
  else throw new TypeError(`the header ${JSON.stringify(name)} was set twice`);
}
