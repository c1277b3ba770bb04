/** Moves the headers of a response to a reply, where hooks may change them, and back. */

import {
  type ClientRequest,
  type OutgoingHttpHeader,
  type ServerResponse,
  STATUS_CODES,
  validateHeaderName,
  validateHeaderValue,
} from "node:http";
import { headerRule } from "evenkeel";
import type { FastifyReply } from "fastify";

type HeaderTable = Readonly<Record<string, OutgoingHttpHeader | undefined>>;

/** A response's head. */
export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  /** Names and values by turns. */
  readonly lines: string[];
}

/** Reads the arguments of `writeHead`, and the headers that were set on the response before. */
export function readHead(res: ServerResponse, [status, ...rest]: readonly unknown[]): ResponseHead {
  const reason = typeof rest[0] === "string" ? rest[0] : (STATUS_CODES[Number(status)] ?? "");
  const given = typeof rest[0] === "string" ? rest[1] : rest[0];
  const set = Object.fromEntries(rawHeaderNames(res).map((name) => [name, res.getHeader(name)]));
  return { status: Number(status), reason, lines: [...toHeaderList(set), ...flattenHeaders(given)] };
}

/** Returns names in the letter case in which they were set. Node's types have this method for requests only. */
function rawHeaderNames(res: ServerResponse & Partial<Pick<ClientRequest, "getRawHeaderNames">>): string[] {
  return res.getRawHeaderNames?.() ?? res.getHeaderNames();
}

function flattenHeaders(given: unknown): string[] {
  if (!Array.isArray(given)) return toHeaderList((given ?? {}) as HeaderTable);
  return given.flat().map(String);
}

/**
 * Returns an app's headers as a list. Several values of one name are several lines. Framing and connection headers are omitted.
 * Throws for an invalid header.
 */
export function appHeaders(headers: HeaderTable): string[] {
  const lines = toHeaderList(
    Object.fromEntries(Object.entries(headers).filter(([name]) => headerRule(name) !== "refused")),
  );
  for (let index = 0; index < lines.length; index += 2) {
    validateHeaderName(lines[index] as string);
    validateHeaderValue(lines[index] as string, lines[index + 1] as string);
  }
  return lines;
}

function toHeaderList(headers: HeaderTable): string[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().flatMap((one) => (one === undefined ? [] : [name, String(one)])),
  );
}

/**
 * Sets a response head on a reply. It replaces the headers that the app has set before, except cookies, which are added.
 * Returns the headers that were set, by lower-case name. Framing headers are omitted, so that the app cannot change them.
 */
export function setReplyHead(
  reply: FastifyReply,
  { status, lines }: ResponseHead,
): ReadonlyMap<string, OutgoingHttpHeader> {
  // Fastify rejects statuses above 599.
  if (status <= 599) reply.code(status);
  else reply.raw.statusCode = status;
  const headers = new Map<string, OutgoingHttpHeader>();
  for (let index = 0; index < lines.length; index += 2) {
    const lower = (lines[index] as string).toLowerCase();
    const value = lines[index + 1] as string;
    if (isHidden(lower)) continue;
    const before = headers.get(lower);
    headers.set(lower, before === undefined ? value : [before as string | string[], value].flat());
  }
  // A copy: fastify appends cookies to the list.
  for (const [name, value] of headers) reply.header(name, Array.isArray(value) ? [...value] : value);
  return headers;
}

/**
 * Reads the head from a reply after its hooks have run: first the unchanged lines, then the headers that were set. Throws for
 * an invalid header.
 */
export function readChangedHead(
  reply: FastifyReply,
  { status, reason, lines }: ResponseHead,
  before: ReadonlyMap<string, OutgoingHttpHeader>,
): ResponseHead {
  const after = reply.getHeaders();
  const kept: string[] = [];
  for (let index = 0; index < lines.length; index += 2) {
    const lower = (lines[index] as string).toLowerCase();
    const isKept = isHidden(lower) || isSame(after[lower], before.get(lower));
    if (isKept) kept.push(lines[index] as string, lines[index + 1] as string);
  }
  const set = Object.fromEntries(Object.entries(after).filter(([name, value]) => !isSame(value, before.get(name))));
  const changed = appHeaders(set);
  const { statusCode } = reply;
  const mayChange = statusCode !== status && !isBodiless(status) && !isBodiless(statusCode);
  const chosen = mayChange ? { status: statusCode, reason: STATUS_CODES[statusCode] ?? "" } : { status, reason };
  return { ...chosen, lines: [...kept, ...changed] };
}

/** Headers that hooks do not see: framing, and `__proto__`, since a reply keeps its headers in an object with a prototype. */
function isHidden(lower: string): boolean {
  return lower === "__proto__" || headerRule(lower) === "refused";
}

function isSame(one: OutgoingHttpHeader | undefined, other: OutgoingHttpHeader | undefined): boolean {
  if (!Array.isArray(one) || !Array.isArray(other)) return one === other;
  return one.length === other.length && one.every((value, index) => value === other[index]);
}

/** Whether responses with this status have no body. Such a status cannot be changed, and no other can be changed to it. */
function isBodiless(status: number): boolean {
  return status < 200 || status === 204 || status === 205 || status === 304;
}
