/**
 * Finds what an app in front of the proxy has changed in `req.headers`: Express middleware, Fastify hooks, a handler.
 *
 * The proxy forwards `req.rawHeaders`, which keep order, letter case and repetition. An app changes `req.headers`, which Node
 * makes of them. Node does not report such a change, so the object is compared with the lines of each request: in one pass
 * where no name is repeated, and name by name where something differs.
 */

import { headerRule } from "../config/settable-header.ts";
import { lowerName } from "../http1/header-classifier.ts";

/** The headers of a request as Node or an app has them: strings or lists of strings by name, or other values an app has set. */
export type HeaderObject = Readonly<Record<string, unknown>>;

/** What Node has made of the header lines. */
export interface ParsedHeaders {
  readonly rawHeaders: readonly string[];
  readonly joinDuplicateHeaders?: boolean | undefined;
}

/** Headers that an app has set, replaced or deleted, by their names in lower case. */
export class ChangedHeaders {
  /** The lines that replace the client's, in the app's letter case; none for a deleted header. */
  readonly lines: ReadonlyMap<string, readonly (readonly [name: string, value: string])[]>;
  /**
   * The number of lines that the app could see. Node drops the lines behind it from the object: the app could not decide on
   * them.
   */
  readonly visibleLines: number;

  constructor(lines: ChangedHeaders["lines"], visibleLines: number) {
    this.lines = lines;
    this.visibleLines = visibleLines;
  }

  /**
   * Whether a line of the client's is replaced or deleted. This includes a line that CGI-like upstreams read alike, such as
   * `X_User` beside an `X-User` of the app's.
   */
  covers(lower: string): boolean {
    return this.lines.has(lower) || (/[_.]/.test(lower) && this.lines.has(lower.replace(/[_.]/g, "-")));
  }
}

/** Compares the object that an app may have changed with the lines that were received; undefined when nothing has changed. */
export function changedLines(headers: HeaderObject, request: ParsedHeaders): ChangedHeaders["lines"] | undefined {
  return isUnchanged(headers, request.rawHeaders) ? undefined : compare(headers, request);
}

/** Node fills the object in the order of the lines. */
function isUnchanged(headers: HeaderObject, raw: readonly string[]): boolean {
  let index = 0;
  for (const name in headers) {
    const line = raw[index];
    if (line === undefined || headers[name] !== raw[index + 1]) return false;
    if (line !== name && lowerName(line) !== name) return false;
    index += 2;
  }
  return index === raw.length;
}

function compare(headers: HeaderObject, request: ParsedHeaders): ChangedHeaders["lines"] | undefined {
  const received = byName(request.rawHeaders);
  const changes = new Map<string, readonly (readonly [string, string])[]>();
  for (const [lower, lines] of received) {
    const now = Object.hasOwn(headers, lower) ? headers[lower] : undefined;
    if (isFixed(lower, headers) || isSame(now, merged(lower, lines, request.joinDuplicateHeaders === true))) continue;
    changes.set(lower, toLines(lines[0]?.[0] ?? lower, now));
  }
  for (const name of Object.keys(headers)) {
    const lower = name.toLowerCase();
    // A name in another letter case than Node's is the app's.
    if ((name === lower && received.has(lower)) || isFixed(lower, headers)) continue;
    const lines = toLines(name, headers[name]);
    if (lines.length > 0) changes.set(lower, lines);
  }
  return changes.size === 0 ? undefined : changes;
}

/**
 * What an app cannot change: framing and fields of one connection, which the proxy reads from the lines; and `__proto__`, which
 * is never a property of an object with a prototype, such as Node's.
 */
function isFixed(lower: string, headers: HeaderObject): boolean {
  if (lower === "__proto__") return Object.getPrototypeOf(headers) !== null;
  return headerRule(lower) === "refused";
}

type Line = readonly [name: string, value: string];

function byName(raw: readonly string[]): Map<string, Line[]> {
  const lines = new Map<string, Line[]>();
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] as string;
    const line: Line = [name, raw[index + 1] as string];
    const before = lines.get(lowerName(name));
    if (before === undefined) lines.set(lowerName(name), [line]);
    else before.push(line);
  }
  return lines;
}

/** Node keeps the first of several values of these (https://nodejs.org/api/http.html#messageheaders). */
const single: ReadonlySet<string> = new Set([
  ...["age", "authorization", "content-length", "content-type", "etag", "expires", "from", "host", "if-modified-since"],
  ...["if-unmodified-since", "last-modified", "location", "max-forwards", "proxy-authorization", "referer"],
  ...["retry-after", "server", "user-agent"],
]);

/** The value that Node gives to the lines of one name. */
function merged(lower: string, lines: readonly Line[], joinsAll: boolean): string | readonly string[] {
  const values = lines.map(([, value]) => value);
  if (lower === "set-cookie") return values;
  if (single.has(lower) && !joinsAll) return values[0] as string;
  return values.join(lower === "cookie" ? "; " : ", ");
}

function isSame(now: unknown, before: string | readonly string[]): boolean {
  if (typeof before === "string") return now === before;
  return Array.isArray(now) && now.length === before.length && now.every((value, index) => value === before[index]);
}

/** Numbers and the like are sent as text, lists in several lines, but cookies in one (RFC 6265 section 5.4). */
function toLines(name: string, value: unknown): Line[] {
  const values = [value].flat().filter((one) => one !== undefined && one !== null);
  const texts = values.map((one) => (typeof one === "string" ? one : String(one)));
  if (name.toLowerCase() === "cookie" && texts.length > 1) return [[name, texts.join("; ")]];
  return texts.map((text) => [name, text]);
}
