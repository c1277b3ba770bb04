/** What holds for every input, whatever it was. Each oracle says in words what is wrong. */

import type { RequestEvent } from "../../../src/events.ts";
import { saysClose } from "../../support/raw-client.ts";
import { type Field, type StrictRequest, type StrictResponse, valuesOf } from "../../support/strict-http.ts";
import type { Conversation } from "./conversation.ts";
import { connectionOptions } from "./sent-message.ts";
import type { SentRequest } from "./sent-requests.ts";
import { readSentResponse } from "./sent-responses.ts";
import type { Said } from "./upstreams.ts";

/** What became of an input. */
export interface Result {
  readonly tag: string;
  readonly conversation: Conversation;
  /** Requests as the upstreams read them. */
  readonly seen: readonly StrictRequest[];
  readonly said: readonly Said[];
  readonly violations: readonly string[];
  readonly events: readonly RequestEvent[];
  /** Requests that the server handed on. */
  readonly handed: number;
}

export function judge(result: Result): string[] {
  const { conversation, events, handed, violations } = result;
  return [
    ...violations.map((violation) => `an upstream got bytes out of grammar: ${violation}`),
    ...(events.length === handed ? [] : [`${events.length} request events for ${handed} requests`]),
    ...judgeConnection(conversation, result.tag),
    ...judgeSeen(result),
    ...conversation.responses.flatMap((response, place) => judgeAnswer(response, place, result)),
  ];
}

function judgeConnection(
  { how, violation, partial, asked, sentinel, responses, sent }: Conversation,
  tag: string,
): string[] {
  // What node's parser makes no request of has no method for whoever answers, and its answer a body, even to a HEAD.
  const last = responses.at(-1);
  const headRefused = last !== undefined && saysClose(last) && sent.methods[responses.length - 1] === "HEAD";
  const unfinished = sent.end === "violation" || sent.end === "partial" || sent.strayLineEnds;
  // A request may be answered before its body turns out to be broken, which is one more answer.
  const most = sent.requests.length + (unfinished ? 1 : 0);
  return [
    ...(how === undefined ? ["the client hangs: neither its answers nor the end"] : []),
    ...(violation === undefined ? [] : [`the client got bytes out of grammar: ${violation}`]),
    ...(how === "end" && partial !== "" && !headRefused ? ["a head breaks off in good order"] : []),
    ...(responses.length > most ? [`${responses.length} answers to ${most} requests`] : []),
    ...(asked && sentinel !== `200 /victim/${tag}` ? [`what follows is answered ${sentinel ?? "not at all"}`] : []),
  ];
}

/** Methods of requests that may reach an upstream twice, or even three times: a reset connection, then another upstream. */
const repeatable: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);
const mostAttempts = 4;

function judgeSeen({ conversation, seen }: Result): string[] {
  const times = new Map<SentRequest, number>();
  return seen.flatMap((request) => {
    const candidates = conversation.sent.requests.filter(
      (sent) => sent.method === request.method && sent.target === request.target,
    );
    const origin = candidates.find((sent) => differences(request, sent).length === 0);
    if (origin === undefined) {
      const close = candidates[0];
      const why = close === undefined ? "nothing of the kind was sent" : differences(request, close).join(", ");
      return [`an upstream read ${JSON.stringify(request.head)}: ${why}`];
    }
    const count = (times.get(origin) ?? 0) + 1;
    times.set(origin, count);
    if (count > (repeatable.has(origin.method) ? mostAttempts : 1))
      return [`${origin.method} ${origin.target} reached upstreams ${count} times`];
    return [];
  });
}

/** What the proxy says itself. */
const own: ReadonlySet<string> = new Set([
  ...["host", "content-length", "transfer-encoding", "connection", "via", "x-request-id", "upgrade", "te"],
  ...["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port"],
]);
const neverForwarded =
  /^(?:keep-alive|proxy-(?:connection|authorization|authenticate)|trailer|http2-settings|expect|x[-_.]forwarded[-_.](?:for|host|proto|port|prefix)|x[-_.]real[-_.]ip|forwarded)$/;

/** How a request at an upstream is not what was sent. */
function differences(seen: StrictRequest, sent: SentRequest): string[] {
  const named = new Set(connectionOptions(sent.fields));
  // A tunnel's request goes out through node's client, which joins what HTTP lets it join (RFC 6265 section 5.4).
  const cookies = valuesOf(sent.fields, "cookie").join("; ");
  const inSent = ([name, value]: Field) =>
    sent.fields.some(([other, itsValue]) => other === name && itsValue === value);
  const strange = seen.fields.filter((field) => {
    const name = field[0].toLowerCase();
    return (
      !own.has(name) &&
      !(name === "cookie" && field[1] === cookies) &&
      (neverForwarded.test(name) || named.has(name) || !inSent(field))
    );
  });
  const body = seen.complete
    ? sent.complete && sent.body.equals(seen.body)
    : sent.body.subarray(0, seen.body.length).equals(seen.body);
  const peer = valuesOf(seen.fields, "x-forwarded-for").join();
  return [
    ...(body ? [] : [`its body is ${JSON.stringify(seen.body.toString("latin1"))}`]),
    ...strange.map((field) => `it has ${field.join(": ")}`),
    ...(peer === "127.0.0.1" ? [] : [`the client is said to be ${peer}`]),
    ...(seen.trailers.length === 0 ? [] : ["it has trailers"]),
  ];
}

/** Answers that node's server or the proxy gives without an upstream: 400 and its kin, which end the connection, and 417. */
const byItself: ReadonlySet<number> = new Set([400, 408, 413, 417, 431]);

function judgeAnswer(response: StrictResponse, place: number, { conversation, said }: Result): string[] {
  const request = conversation.sent.requests[place];
  if (valuesOf(response.fields, "proxy-status").length > 0) {
    return response.status >= 400 ? [] : [`an answer of the proxy's own is ${response.status}`];
  }
  const tags = valuesOf(response.fields, "x-tag");
  if (byItself.has(response.status) && tags.length === 0 && response.body.length === 0) return [];
  if (request?.target === "*" && request.method === "OPTIONS" && response.status === 204) return [];
  const its = said.filter(
    (one) => request !== undefined && one.request.target === request.target && one.request.method === request.method,
  );
  if (its.length === 0) return [`answer ${place} is nobody's: ${JSON.stringify(response.head)}`];
  // Broken off, it does not pass for anything; and behind a client that leaves in good order, the end is its own doing.
  if (!response.complete || (response.untilClose && conversation.left)) {
    return tags.every((tag) => its.some(({ bytes }) => bytes.includes(tag, 0, "latin1")))
      ? []
      : [`answer ${place} has the tag ${tags.join()}`];
  }
  const complaints = its.map((one) => answerDiffers(response, one));
  return complaints.some(({ length }) => length === 0)
    ? []
    : complaints.map((list) => `answer ${place}: ${list.join("; ")}`);
}

/** How a whole answer is not the whole answer that an upstream gave. */
function answerDiffers(response: StrictResponse, { request, bytes, end }: Said): string[] {
  const original = readSentResponse(bytes, request.method, end === "fin");
  // Answers to handshakes are read by node's own client, which puts up with more.
  if (original.broken && valuesOf(request.fields, "upgrade").length > 0) return [];
  if (!original.complete)
    return [`whole, although the upstream has not said all of it: ${JSON.stringify(response.head)}`];
  const isSame = (name: string) =>
    valuesOf(response.fields, name).join("\n") === valuesOf(original.fields, name).join("\n");
  const named = new Set(connectionOptions(original.fields));
  return [
    ...(response.status === original.status ? [] : [`${response.status} instead of ${original.status}`]),
    ...(response.body.equals(original.body)
      ? []
      : [`another body: ${JSON.stringify(response.body.toString("latin1").slice(0, 200))}`]),
    ...["x-tag", "set-cookie", "x-y"]
      .filter((name) => !named.has(name) && !isSame(name))
      .map((name) => `another ${name}`),
    ...(response.trailers.every(([name, value]) =>
      original.trailers.some((field) => field[0] === name && field[1] === value),
    )
      ? []
      : ["strange trailers"]),
  ];
}
