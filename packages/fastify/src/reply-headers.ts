/** The headers of a response on their way through a reply, where hooks may change them. */

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
export interface HeadLines {
  readonly status: number;
  readonly reason: string;
  /** Names and values by turns. */
  readonly lines: string[];
}

/** Reads what is given to `writeHead`, with the headers that were set on the response before. */
export function readHead(res: ServerResponse, [status, ...rest]: readonly unknown[]): HeadLines {
  const reason = typeof rest[0] === "string" ? rest[0] : (STATUS_CODES[Number(status)] ?? "");
  const given = typeof rest[0] === "string" ? rest[1] : rest[0];
  const set = Object.fromEntries(rawNamesOf(res).map((name) => [name, res.getHeader(name)]));
  return { status: Number(status), reason, lines: [...linesOf(set), ...flatLines(given)] };
}

/** In the letter case that they were set in. Node has this for every outgoing message; its types, for requests alone. */
function rawNamesOf(res: ServerResponse & Partial<Pick<ClientRequest, "getRawHeaderNames">>): string[] {
  return res.getRawHeaderNames?.() ?? res.getHeaderNames();
}

function flatLines(given: unknown): string[] {
  if (!Array.isArray(given)) return linesOf((given ?? {}) as HeaderTable);
  return given.flat().map(String);
}

/**
 * Several values of one name are several lines. What frames a message or belongs to one connection is left out. Throws for a header
 * that is out of grammar.
 */
export function appLines(headers: HeaderTable): string[] {
  const lines = linesOf(Object.fromEntries(Object.entries(headers).filter(([name]) => headerRule(name) !== "refused")));
  for (let index = 0; index < lines.length; index += 2) {
    validateHeaderName(lines[index] as string);
    validateHeaderValue(lines[index] as string, lines[index + 1] as string);
  }
  return lines;
}

function linesOf(headers: HeaderTable): string[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().flatMap((one) => (one === undefined ? [] : [name, String(one)])),
  );
}

/**
 * Puts a head on a reply, over what the app has set before, but beside its cookies. Returns what was put there, by lower-case
 * name. Framing is not the app's to see or to change.
 */
export function putOnReply(reply: FastifyReply, { status, lines }: HeadLines): ReadonlyMap<string, OutgoingHttpHeader> {
  // Fastify refuses others.
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
  // A copy: fastify appends cookies to the list that it is given.
  for (const [name, value] of headers) reply.header(name, Array.isArray(value) ? [...value] : value);
  return headers;
}

/**
 * The head as hooks have left it: lines that nothing has changed as they came, then what was set. Throws for a header that is out of
 * grammar.
 */
export function changedReplyHeaders(
  reply: FastifyReply,
  { status, reason, lines }: HeadLines,
  before: ReadonlyMap<string, OutgoingHttpHeader>,
): HeadLines {
  const after = reply.getHeaders();
  const kept: string[] = [];
  for (let index = 0; index < lines.length; index += 2) {
    const lower = (lines[index] as string).toLowerCase();
    const isKept = isHidden(lower) || isSame(after[lower], before.get(lower));
    if (isKept) kept.push(lines[index] as string, lines[index + 1] as string);
  }
  const set = Object.fromEntries(Object.entries(after).filter(([name, value]) => !isSame(value, before.get(name))));
  const changed = appLines(set);
  const { statusCode } = reply;
  const mayChange = statusCode !== status && !isBodiless(status) && !isBodiless(statusCode);
  const chosen = mayChange ? { status: statusCode, reason: STATUS_CODES[statusCode] ?? "" } : { status, reason };
  return { ...chosen, lines: [...kept, ...changed] };
}

/** Not for hooks: framing, and what a reply's headers, an object with a prototype, cannot hold. */
function isHidden(lower: string): boolean {
  return lower === "__proto__" || headerRule(lower) === "refused";
}

function isSame(one: OutgoingHttpHeader | undefined, other: OutgoingHttpHeader | undefined): boolean {
  if (!Array.isArray(one) || !Array.isArray(other)) return one === other;
  return one.length === other.length && one.every((value, index) => value === other[index]);
}

/** These frame their responses without a body: one of them cannot become another, nor another one of them. */
function isBodiless(status: number): boolean {
  return status < 200 || status === 204 || status === 205 || status === 304;
}
