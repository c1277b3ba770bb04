/** Connections of clients. */

import fc, { type Arbitrary } from "fast-check";
import type { ClientPlan, Leaving } from "./input.ts";
import { mutations } from "./mutations.ts";
import { cuts } from "./pacing.ts";
import { bodies, type FramedBody } from "./request-bodies.ts";
import { handshake, hosts, methods, otherLines, targets, versions } from "./request-lines.ts";
import { tagPlace } from "./tag.ts";
import { mostly, sometimes } from "./weighted.ts";

/** A request without its tag's last digit, which is its place. */
type Request = (place: number) => string;

interface RequestParts {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly lines: readonly string[];
  readonly body: FramedBody;
}

const lineBreak = "\r\n";

function requestOf({ method, target, version, lines, body }: RequestParts): Request {
  return (place) =>
    [
      `${method} ${target.replace(tagPlace, `${tagPlace}${place}`)} ${version}`,
      ...lines,
      `X-Tag: ${tagPlace}${place}`,
      ...body.lines,
      lineBreak + body.bytes,
    ].join(lineBreak);
}

const anyRequest: Arbitrary<Request> = fc
  .record({ method: methods, target: targets, version: versions, hosts, otherLines, body: bodies })
  .map(({ hosts: host, otherLines: lines, ...parts }) => requestOf({ ...parts, lines: [...host, ...lines] }));

const webSocket: Arbitrary<Request> = fc
  .record({
    target: targets,
    otherLines,
    left: sometimes(fc.nat(3)),
    behind: sometimes(fc.constantFrom("\x81\x00", "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"), 3),
  })
  .map(({ target, otherLines: lines, left, behind }) =>
    requestOf({
      method: "GET",
      target,
      version: "HTTP/1.1",
      lines: ["Host: h", ...lines, ...handshake.filter((_, index) => index !== left[0])],
      body: { lines: [], bytes: behind.join("") },
    }),
  );

/** What nobody could object to. */
const plain: Arbitrary<Request> = fc
  .record({
    method: fc.constantFrom("GET", "GET", "POST", "HEAD", "PUT", "DELETE"),
    version: mostly(fc.constant("HTTP/1.1"), fc.constant("HTTP/1.0")),
    lines: fc.constantFrom<readonly string[]>(
      [],
      ["TE: trailers"],
      ["Expect: 100-continue"],
      ["Connection: keep-alive"],
    ),
    body: fc.constantFrom("", "hello", "x".repeat(2_000)),
  })
  .map(({ method, version, lines, body }) =>
    requestOf({
      method,
      target: `/${tagPlace}`,
      version,
      lines: ["Host: h", ...lines],
      body: /^P/.test(method) ? { lines: [`Content-Length: ${body.length}`], bytes: body } : { lines: [], bytes: "" },
    }),
  );

const leave = (side: "sent" | "received"): Arbitrary<ClientPlan["leave"]> =>
  fc.record({ how: fc.constantFrom<Leaving[]>("fin", "rst"), side: fc.constant(side), at: fc.nat(3_000) });

const placed = (requests: Arbitrary<readonly Request[]>) =>
  requests.map((list) => list.map((request, place) => request(place)));

const stays = fc.constant(undefined);

/** Of every kind. */
export const clients: Arbitrary<ClientPlan> = fc.record({
  requests: placed(
    fc.array(
      fc.oneof(
        { weight: 5, arbitrary: anyRequest },
        { weight: 5, arbitrary: plain },
        { weight: 1, arbitrary: webSocket },
      ),
      { minLength: 1, maxLength: 6, size: "medium" },
    ),
  ),
  mutations,
  cuts,
  leave: mostly<ClientPlan["leave"]>(stays, fc.oneof(leave("sent"), leave("received")), 2),
});

/** Those that give upstreams something to answer. */
export const plainClients: Arbitrary<ClientPlan> = fc.record({
  requests: placed(
    fc.array(fc.oneof({ weight: 9, arbitrary: plain }, { weight: 1, arbitrary: webSocket }), {
      minLength: 1,
      maxLength: 3,
    }),
  ),
  mutations: fc.constant([]),
  cuts: fc.constant([]),
  leave: mostly<ClientPlan["leave"]>(stays, leave("received")),
});
