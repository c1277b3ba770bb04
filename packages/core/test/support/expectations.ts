/** What may become of a raw case, in the words of its table. */

import type { Expectation, Outcome } from "./raw-case.ts";
import { saysClose } from "./raw-client.ts";
import type { SeenRequest } from "./recording-upstream.ts";
import { valuesOf } from "./strict-http.ts";

/** How a request has to look at the upstream. */
export interface Forwarded {
  readonly method?: string;
  readonly target?: string;
  readonly body?: string;
  /** Values of a field, in order; an empty list: the field is not there. */
  readonly fields?: Readonly<Record<string, readonly string[]>>;
  readonly trailers?: readonly (readonly [string, string])[];
  /** Matches the head as it came. */
  readonly head?: RegExp;
  readonly notHead?: RegExp;
}

/** REJ: one answer with such a status, then the end; not one byte reaches an upstream, and what follows is discarded. */
export function rejected(...statuses: number[]): Expectation {
  return (outcome) => [
    ...statusIs(outcome, [statuses]),
    ...(outcome.upstream.received.some(({ length }) => length > 0) ? ["bytes reached an upstream"] : []),
    ...closed(outcome),
    ...refusalIsTold(outcome),
  ];
}

/** REJ in the middle of a body: as `rejected`, or cut off; the upstream never sees the message whole. */
export function rejectedMidBody(...statuses: number[]): Expectation {
  return (outcome) => [
    ...(outcome.responses.length === 0 ? [] : statusIs(outcome, [statuses])),
    ...(outcome.requests.length > 0 ? ["an upstream got it as a whole request"] : []),
    ...closed(outcome),
    ...refusalIsTold(outcome),
  ];
}

/**
 * REJ of a message that is too long to be read to its end: an ordinary server closes with bytes unread, and the reset
 * that follows may take the answer from a client that is still sending.
 */
export function rejectedUnread(...statuses: number[]): Expectation {
  return oneOf(rejected(...statuses), (outcome) => [
    ...(outcome.how === "reset" && outcome.text === "" ? [] : ["neither an answer nor a reset"]),
    ...(outcome.upstream.received.some(({ length }) => length > 0) ? ["bytes reached an upstream"] : []),
    ...refusalIsTold(outcome),
  ]);
}

/** FWD: exactly one request upstream, as described, whose answer comes back. */
export function forwarded(...requests: Forwarded[]): Expectation {
  return (outcome) => {
    const { requests: seen, responses } = outcome;
    return [
      ...statusIs(
        outcome,
        requests.map(() => [200]),
      ),
      ...(seen.length === requests.length ? [] : [`${seen.length} requests upstream instead of ${requests.length}`]),
      ...requests.flatMap((request, index) => differences(seen[index], request)),
      ...responses.flatMap((response, index) => {
        const tag = valuesOf(response.fields, "x-tag")[0];
        return tag === undefined || tag === (requests[index]?.target ?? tag)
          ? []
          : [`answer ${index} is that of ${tag}`];
      }),
      ...eventsAre(outcome, requests.length, requests.length),
    ];
  };
}

/** GW: an answer of the proxy's own to a request that it may have sent on. */
export function answeredWith(...statuses: number[]): Expectation {
  return (outcome) => [
    ...statusIs(outcome, [statuses]),
    ...(/\r\nproxy-status: evenkeel;/i.test(outcome.text) ? [] : ["not the proxy's own answer"]),
    ...eventsAre(outcome, 1, 1),
  ];
}

/** REJ of a request for its target, which the app's router may refuse first: its connection is in order, and may go on. */
export function badTarget(outcome: Outcome): string[] {
  return outcome.traits.badTargets === "the proxy's"
    ? rejected(400)(outcome)
    : oneOf(rejected(400), answeredByApp(400, 404))(outcome);
}

/** REJ of CONNECT. Node cuts the connection where nobody listens for it. */
export function refusedConnect(outcome: Outcome): string[] {
  return outcome.traits.tellsRefusals
    ? rejected(400, 405, 501)(outcome)
    : [
        ...(outcome.text === "" ? [] : ["something was answered"]),
        ...(outcome.upstream.received.length > 0 ? ["a connection to an upstream was opened"] : []),
        ...closed(outcome),
        ...eventsAre(outcome, 0, 0),
      ];
}

/** An answer in which the proxy has no part. */
export function answeredByApp(...statuses: number[]): Expectation {
  return (outcome) => [
    ...statusIs(outcome, [statuses]),
    ...(/\r\n(?:proxy-status|via):/i.test(outcome.responses[0]?.head ?? "") ? ["it is the proxy's answer"] : []),
    ...(outcome.heads.length > 0 ? ["something went to an upstream"] : []),
    ...eventsAre(outcome, 0, 0),
  ];
}

/** What no route matches: 404, the proxy's or the app's. */
export function unrouted(outcome: Outcome): string[] {
  return outcome.traits.unrouted === "the proxy's" ? ownAnswer(404)(outcome) : answeredByApp(404)(outcome);
}

/** `OPTIONS *` asks about the whole server: the proxy answers for one that is all its own. */
export function aboutTheServer(outcome: Outcome): string[] {
  return outcome.traits.unrouted === "the proxy's"
    ? ownAnswer(200, 204)(outcome)
    : answeredByApp(200, 204, 404)(outcome);
}

/** One answer of the proxy's own, without an upstream. */
function ownAnswer(...statuses: number[]): Expectation {
  return (outcome) => [
    ...statusIs(outcome, [statuses]),
    ...(outcome.heads.length > 0 ? ["something went to an upstream"] : []),
    ...eventsAre(outcome, 1, 1),
  ];
}

/** Final answers with these statuses, in order, whatever was asked of the upstream. */
export function answers(...statuses: number[]): Expectation {
  return (outcome) => [
    ...statusIs(
      outcome,
      statuses.map((status) => [status]),
    ),
    ...eventsAre(outcome, 1, statuses.length),
  ];
}

/** ABORT: the connection dies before the end of an answer that has begun. */
export const cutOff: Expectation = ({ responses, how, events }) => [
  ...(responses.some(({ complete }) => complete) ? ["an answer looks complete"] : []),
  ...(how === undefined ? ["the connection stays open"] : []),
  ...(events.length === 1 ? [] : [`${events.length} events`]),
];

/** The connection does not outlive the answer by a second, and nothing sent behind it is answered. */
export function closed({ how, closedAfterMs, followed }: Outcome): string[] {
  if (followed) return ["what follows is read as a request"];
  return how === undefined || closedAfterMs > 1_000 ? ["the connection stays open"] : [];
}

/** The answer says that the connection ends with it, and it does. */
export const saidClose: Expectation = (outcome) => [
  ...closed(outcome),
  ...(outcome.responses.every((response) => !saysClose(response)) ? ["the answer does not say close"] : []),
];

/** Anything that is one of these. */
export function oneOf(...expectations: Expectation[]): Expectation {
  return (outcome) => {
    const complaints = expectations.map((expectation) => expectation(outcome));
    return complaints.some(({ length }) => length === 0) ? [] : complaints.map((list) => list.join("; "));
  };
}

/** All of these. */
export function both(...expectations: Expectation[]): Expectation {
  return (outcome) => expectations.flatMap((expectation) => expectation(outcome));
}

/** The upstream's connection is not used for another request. */
export const upstreamDropped: Expectation = ({ heads, upstream }) => {
  const connection = heads[0]?.connection;
  const reused = upstream.requests.some((request) => request.connection === connection && request.index > 0);
  return reused ? ["the upstream's connection is used again"] : [];
};

/** Something that no other expectation has a word for. */
export function holds(what: string, condition: (outcome: Outcome) => boolean): Expectation {
  return (outcome) => (condition(outcome) ? [] : [`not so: ${what}`]);
}

function statusIs({ responses }: Outcome, expected: readonly (readonly number[])[]): string[] {
  const got = responses.map(({ status, complete }) => (complete ? `${status}` : `${status} incomplete`));
  const right =
    got.length === expected.length && expected.every((allowed, index) => allowed.includes(Number(got[index])));
  return right
    ? []
    : [`answered [${got.join(", ")}] instead of [${expected.map((list) => list.join("|")).join(", ")}]`];
}

function eventsAre({ events }: Outcome, least: number, most: number): string[] {
  return events.length >= least && events.length <= most ? [] : [`${events.length} request events`];
}

/** At most one event for what was refused; exactly one where whoever refused it tells. */
function refusalIsTold(outcome: Outcome): string[] {
  return eventsAre(outcome, outcome.traits.tellsRefusals ? 1 : 0, 1);
}

function differences(seen: SeenRequest | undefined, expected: Forwarded): string[] {
  if (seen === undefined) return [];
  const { method, target, body, fields = {}, trailers, head, notHead } = expected;
  const is = (what: string, value: unknown, wanted: unknown) =>
    wanted === undefined || JSON.stringify(value) === JSON.stringify(wanted)
      ? []
      : [`${what} ${JSON.stringify(value)} instead of ${JSON.stringify(wanted)}`];
  return [
    ...is("method", seen.method, method),
    ...is("target", seen.target, target),
    ...is("body", seen.body.toString("latin1"), body),
    ...is("trailers", seen.trailers, trailers),
    ...Object.entries(fields).flatMap(([name, values]) => is(name, valuesOf(seen.fields, name.toLowerCase()), values)),
    ...(head === undefined || head.test(seen.head) ? [] : [`the head does not match ${head}`]),
    ...(notHead === undefined || !notHead.test(seen.head) ? [] : [`the head matches ${notHead}`]),
  ];
}
